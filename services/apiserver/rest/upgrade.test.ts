import { once } from 'node:events';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { UnknownObject } from '../../../apimachinery/object.js';
import type { AdmissionAttributes, UpgradeRequest } from '../ports.js';
import { admin, admitEverything, pod, resources } from '../registry/testing.js';
import { startApiServer } from './testing.js';

const PODS = '/api/v1/namespaces/default/pods';

async function start() {
  const served: UpgradeRequest[] = [];
  const connections: AdmissionAttributes[] = [];
  const running = await startApiServer({
    admission: () => ({
      ...admitEverything,
      validate: (attributes) => {
        if (attributes.operation === 'CONNECT') connections.push(attributes);
        return Promise.resolve();
      },
    }),
    streaming: {
      serve(upgrade) {
        served.push(upgrade);
        upgrade.socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: test\r\n\r\n');
        return Promise.resolve();
      },
    },
  });
  const service = running.server.registry.as(admin);
  const running1: UnknownObject = { ...pod('a'), spec: { nodeName: 'n1', containers: [{ name: 'x', image: 'i' }, { name: 'y', image: 'i' }] } };
  await service.create({ resource: resources.pods, namespace: 'default', object: running1 });
  await service.create({ resource: resources.pods, namespace: 'default', object: pod('unscheduled') });
  return {
    served, connections,
    /** The first line of the answer to an upgrade. */
    async upgrade(path: string, token = 'admin'): Promise<string> {
      const socket = connect({ port: Number(new URL(running.url).port), host: '127.0.0.1', ca: running.certificate });
      await once(socket, 'secureConnect');
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nconnection: Upgrade\r\nupgrade: test\r\n\r\n`);
      const [data] = await once(socket, 'data') as [Buffer];
      socket.destroy();
      return data.toString().split('\r\n')[0] ?? '';
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

describe('upgrades', () => {
  it('reach the streaming front resolved, with their options, after admission', async () => {
    await using test = await start();
    expect(await test.upgrade(`${PODS}/a/exec?container=y&command=ls&command=-l&stdout=1&stderr=true&tty=false`)).toContain('101');
    expect(test.served).toMatchObject([{ kind: 'exec', pod: 'a', container: 'y', command: ['ls', '-l'], stdin: false, stdout: true, stderr: true, tty: false }]);
    expect(test.connections).toMatchObject([{ subresource: 'exec', name: 'a', objectKind: { kind: 'PodExecOptions' } }]);
    expect(await test.upgrade(`${PODS}/a/portforward?ports=80&ports=81`)).toContain('101');
    expect(test.served[1]).toMatchObject({ kind: 'port-forward', ports: [80, 81] });
  });

  it('are refused as HTTP, with the code of a Status', async () => {
    await using test = await start();
    const cases: [string, string, number][] = [
      [`${PODS}/a/exec?command=ls&stdout=1`, 'admin', 400],
      [`${PODS}/a/exec?container=x&stdout=1`, 'admin', 400],
      [`${PODS}/a/exec?container=x&command=ls`, 'admin', 400],
      [`${PODS}/a/exec?container=x&command=ls&stdout=1`, 'nobody', 401],
      [`${PODS}/a/exec?container=x&command=ls&stdout=1`, 'no-rights', 403],
      [`${PODS}/none/exec?command=ls&stdout=1`, 'admin', 404],
      [`${PODS}/unscheduled/exec?command=ls&stdout=1`, 'admin', 400],
      [`${PODS}/a/portforward?ports=0`, 'admin', 400],
      // What offers no upgrade leaves the offer aside, and answers as ever.
      [`${PODS}/a/status`, 'admin', 200],
      ['/version', 'admin', 200],
    ];
    for (const [path, token, code] of cases) expect(`${path} ${await test.upgrade(path, token)}`).toContain(`HTTP/1.1 ${code}`);
    expect(test.served).toEqual([]);
  });
});
