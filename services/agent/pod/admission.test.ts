import { describe, expect, it } from 'vitest';
import { admissionRefusal } from './admission.js';
import { requestsOf } from './allocation.js';
import type { Pod, Quantities } from './types.js';

const pod = (requests: Quantities): Pod => ({ metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i', resources: { requests } }] } });

/** The amounts are kubelet's: thousandths of a CPU, bytes, pieces. */
describe('room for a pod', () => {
  const allocatable = { cpu: '2', memory: '1Gi', 'ephemeral-storage': '10Gi', pods: '3', 'rules.example/card': '1' };
  it.each<[string, Quantities, readonly Quantities[], string | undefined]>([
    ['as much as is left', { cpu: '500m', memory: '1Gi' }, [{ cpu: '1500m' }], undefined],
    ['nothing, on a node that is full', {}, [{ cpu: '2' }], undefined],
    ['cpu', { cpu: '501m', memory: '2Gi' }, [{ cpu: '1500m' }], 'OutOfcpu: cpu, requested: 501, used: 1500, capacity: 2000'],
    ['memory', { memory: '1Gi' }, [{ memory: '1' }], 'OutOfmemory: memory, requested: 1073741824, used: 1, capacity: 1073741824'],
    ['disk', { 'ephemeral-storage': '11Gi' }, [], 'OutOfephemeral-storage: ephemeral-storage, requested: 11811160064, used: 0, capacity: 10737418240'],
    ['pods, before all else', { cpu: '9' }, [{}, {}, {}], 'OutOfpods: pods, requested: 1, used: 3, capacity: 3'],
    ['what the node has of its own', { 'rules.example/card': '1' }, [{ 'rules.example/card': '1' }], 'OutOfrules.example/card: rules.example/card, requested: 1, used: 1, capacity: 1'],
    ['what the node does not know', { 'rules.example/other': '1' }, [], undefined],
  ])('%s', (_, wish, others, expected) => {
    const refusal = admissionRefusal(pod(wish), { allocatable, requested: requestsOf(others.map(pod)), pods: others.length });
    expect(refusal === undefined ? undefined : `${refusal.reason}: ${refusal.message.replace("Node didn't have enough resource: ", '')}`).toBe(expected);
  });

  it('is not judged before the node knows what it has', () => {
    expect(admissionRefusal(pod({ cpu: '9' }), { allocatable: {}, requested: new Map(), pods: 500 })).toBeUndefined();
  });
});
