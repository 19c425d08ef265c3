/** Issue 6 row 28: "all workers of up claim the whole machine". */
import { describe, expect, it } from 'vitest';
import { capacityOf, parseCapacity } from './capacity.js';

const machine = { cpus: 2, memory_bytes: 8 * 2 ** 30, disk_bytes: 100 * 2 ** 30 };

describe('the capacity of a node', () => {
  it('is all of the machine', () => {
    expect(capacityOf(machine)).toEqual({
      cpu: '2',
      memory: '8388608Ki',
      pods: '110',
      'ephemeral-storage': '104857600Ki',
    });
  });

  it.each([
    [2, '1', '4194304Ki'],
    [3, '666m', '2796202Ki'],
    [4, '500m', '2097152Ki'],
  ])('is an equal part for each of %i workers', (workersHere, cpu, memory) => {
    expect(capacityOf(machine, { workersHere })).toMatchObject({ cpu, memory });
  });

  it('is what was told', () => {
    expect(capacityOf(machine, { workersHere: 2, told: parseCapacity('cpu=250m,pods=7') })).toMatchObject({
      cpu: '250m',
      pods: '7',
      memory: '4194304Ki',
    });
  });

  it.each(['cpu', 'cpu=', 'cpu=x', 'cpu=0', 'cpu=-1', 'gpu=1', 'memory=4GB'])('refuses %s', (text) => {
    expect(() => parseCapacity(text)).toThrow(/must be|is not/);
  });
});
