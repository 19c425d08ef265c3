/** The external driver against Debian's etcd-server; skipped, with a word, where there is none. */
import { describe } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { storeConformance } from '../conformance.js';
import { lacksEtcd, startEtcdServer } from '../etcd/testing/etcd-server.js';
import { EtcdStore } from './etcd-store.js';

describe.skipIf(lacksEtcd('Store conformance with external etcd, its watches among it'))('etcd', () => {
  storeConformance('external etcd', async () => {
    const etcd = await startEtcdServer();
    const store = new EtcdStore({ endpoints: [etcd.address], clock: systemClock });
    return {
      store,
      close: async () => {
        await store.close();
        await etcd.stop();
      },
    };
  });
});
