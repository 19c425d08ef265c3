import { describe, expect, it } from 'vitest';
import type { Node, Pod } from '../../apimachinery/gen/types.js';
import { parseJsonBytes } from '../../apimachinery/json-value.js';
import { Containment } from '../../platform/containment.js';
import { VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import type { SessionResponse } from '../../proto/gen/navarch/node/v1/node.js';
import { Downstream } from './downstream.js';

type Message = NonNullable<SessionResponse['message']>;

const nodeOf = (resourceVersion: string, labels: Record<string, string>): Node => ({
  metadata: { name: 'w1', resourceVersion, labels },
  spec: { podCIDRs: ['10.244.1.0/24'] },
});
const podOf = (name: string, spec: Partial<NonNullable<Pod['spec']>> = {}): Pod => ({
  metadata: { namespace: 'default', name, uid: `u-${name}`, resourceVersion: '9' },
  spec: { nodeName: 'w1', containers: [], ...spec },
});

/** A member that has `node` and `pods` in its caches; the API has `fresh`. */
function member(node: Node | undefined, pods: Pod[], fresh: () => Promise<Node | undefined>) {
  const clock = new VirtualClock();
  const sent: Message[] = [];
  const downstream = new Downstream({
    node: 'w1',
    part: new Containment({ clock, logger: silentLogger }).part('test'),
    send: (message) => void sent.push(message),
    freshNode: fresh,
    catalog: {
      revision: '9',
      listen: () => () => undefined,
      node: () => node,
      podsOf: () => pods,
      object: () => undefined,
      objectsOf: () => [],
      objectsFrom: () => [],
      sends: () => true,
      leadsOn: () => false,
      environmentOf: () => ({}),
    },
  });
  const shown = () =>
    sent.map((message) => {
      if (message.$case === 'nodeSettings')
        return `node ${JSON.stringify((parseJsonBytes(message.value.node) as { labels: object }).labels)}`;
      if (message.$case === 'podSpec') return `pod ${(parseJsonBytes(message.value.pod) as Pod).metadata?.name ?? ''}`;
      return message.$case;
    });
  return { downstream, shown };
}

const tick = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
const ssd = { nodeSelector: { disk: 'ssd' } };

describe('what a worker is sent', () => {
  it('is the node, its pods, and that this is all', () => {
    const { downstream, shown } = member(nodeOf('5', { disk: 'ssd' }), [podOf('a'), podOf('b', ssd)], () =>
      Promise.reject(new Error('not asked')),
    );
    downstream.open([]);
    expect(shown()).toEqual(['node {"disk":"ssd"}', 'pod a', 'pod b', 'synced']);
  });

  it('is the node as the API has it now before a pod that does not suit the one in the cache (kubelet: fetched synchronously)', async () => {
    const { downstream, shown } = member(nodeOf('5', {}), [podOf('b', ssd), podOf('a')], () =>
      Promise.resolve(nodeOf('7', { disk: 'ssd' })),
    );
    downstream.open([]);
    expect(shown()).toEqual(['node {}', 'pod a']);
    downstream.pod(podOf('b', ssd));
    await tick();
    expect(shown()).toEqual(['node {}', 'pod a', 'node {"disk":"ssd"}', 'pod b', 'synced']);
    // The cache that lags behind does not take the labels back.
    downstream.node(nodeOf('6', {}));
    downstream.node(nodeOf('8', { disk: 'hdd' }));
    expect(shown().slice(5)).toEqual(['node {"disk":"hdd"}']);
  });

  it.each<[string, Node | undefined]>([
    ['is as the cache says', nodeOf('5', {})],
    ['cannot be read', undefined],
  ])('is the pod also when the node %s: the worker refuses it', async (_name, fresh) => {
    const { downstream, shown } = member(nodeOf('5', {}), [podOf('b', ssd)], () => Promise.resolve(fresh));
    downstream.open([]);
    await tick();
    expect(shown()).toEqual(['node {}', 'pod b', 'synced']);
  });

  it('is nothing of a pod that went meanwhile, and nothing after the end', async () => {
    const pods = [podOf('b', ssd)];
    const first = member(undefined, pods, () => Promise.resolve(undefined));
    first.downstream.open([]);
    pods.length = 0;
    await tick();
    expect(first.shown()).toEqual(['synced']);
    const second = member(undefined, [podOf('b', ssd)], () => Promise.resolve(undefined));
    second.downstream.open([]);
    second.downstream.close();
    await tick();
    expect(second.shown()).toEqual([]);
  });

  it('is no waiting for a pod that the worker has', () => {
    const { downstream, shown } = member(nodeOf('5', {}), [podOf('b', ssd)], () =>
      Promise.reject(new Error('not asked')),
    );
    downstream.open([{ kind: 1, namespace: 'default', name: 'b', uid: 'u-b', resourceVersion: '8' }]);
    expect(shown()).toEqual(['node {}', 'pod b', 'synced']);
  });
});
