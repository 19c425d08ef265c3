/**
 * Rules of Kubernetes and etcd that odd inputs out of public bug reports once broke here, each with another case of its
 * kind. One cluster of three members and two hollow workers for all; every scenario has a namespace of its own, so that
 * they run side by side.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { showLogsOnFailure } from './lib/on-failure.js';
import { refusedRights } from './lib/refused-rights.js';
import { missing } from './lib/requirements.js';
import { Rest } from './lib/rest.js';
import { adminTls, UpCluster } from './lib/up-cluster.js';
import { compactionRules } from './rules/compaction.js';
import { definitionRules } from './rules/definitions.js';
import { lifecycleRules } from './rules/lifecycle.js';
import type { Place } from './rules/place.js';
import { serviceRules } from './rules/services.js';
import { valueRules } from './rules/values.js';
import { evictionRules, workloadRules } from './rules/workloads.js';

const lacking = missing('rules of Kubernetes', ['kubectl', 'etcdctl']);

describe.skipIf(lacking.length > 0)('rules of Kubernetes', () => {
  let cluster: UpCluster | undefined;
  let there: Place | undefined;
  showLogsOnFailure(() => cluster);

  beforeAll(async () => {
    cluster = await UpCluster.start({ name: 'rules', loopback: true, members: 3, workers: 2 });
    const [member] = cluster.state().members;
    there = {
      kubectl: new Kubectl(findKubectl() ?? '', cluster.kubeconfig),
      etcdctl: cluster.etcd(),
      rest: new Rest(member?.api ?? '', adminTls(cluster.kubeconfig)),
    };
  });
  afterAll(async () => {
    await there?.kubectl.close();
    await cluster?.stop();
  });

  const place = () => {
    expect(there, 'the cluster is up').toBeDefined();
    return there as Place;
  };

  describe.concurrent('side by side', () => {
    valueRules(place);
    definitionRules(place);
    serviceRules(place);
    lifecycleRules(place);
    workloadRules(place);
  });
  describe('alone', () => {
    evictionRules(place);
    compactionRules(place);
    it('no component was refused what it needs', () => expect(refusedRights(cluster?.wholeLogs() ?? [])).toEqual([]));
  });
});
