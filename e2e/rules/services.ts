/** What the server gives to a Service and keeps: addresses, families, node ports. */
import { expect, it } from 'vitest';
import { accepted, namespace, patch, post, put, refused, MERGE, type Json, type Place } from './place.js';

const service = (name: string, spec: Json): Json => ({ metadata: { name }, spec: { ports: [{ port: 1 }], ...spec } });

export function serviceRules(place: () => Place): void {
  it('every Service names its families, and one that the cluster has not is refused', async () => {
    const home = await namespace(place(), 'families');
    const made = (name: string, spec: Json) => post(place(), `${home}/services`, service(name, spec));
    refused(await made('dual', { ipFamilyPolicy: 'RequireDualStack' }), 422, /spec\.ipFamilyPolicy/);
    refused(await made('six', { ipFamilies: ['IPv6'] }), 422, /spec\.ipFamilies/);
    const single = { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' };
    expect(accepted(await made('plain', {}))).toMatchObject({ spec: single });
    expect(accepted(await made('prefer', { ipFamilyPolicy: 'PreferDualStack' }))).toMatchObject({
      spec: { ipFamilies: ['IPv4'], ipFamilyPolicy: 'PreferDualStack' },
    });
    expect(accepted(await made('headless', { clusterIP: 'None', selector: { a: 'b' } }))).toMatchObject({
      spec: single,
    });
    // It has no address, so no family.
    expect(
      (accepted(await made('name', { type: 'ExternalName', externalName: 'x.test' })) as { spec: Json }).spec,
    ).not.toHaveProperty('ipFamilies');
    refused(
      await patch(place(), `${home}/services/plain`, MERGE, { spec: { ipFamilyPolicy: 'RequireDualStack' } }),
      422,
      /spec\.ipFamilyPolicy/,
    );
  });

  it('the clusterIP that a Service has is kept when a write leaves it out', async () => {
    const home = await namespace(place(), 'kept-address');
    accepted(await post(place(), `${home}/services`, service('headless', { clusterIP: 'None' })));
    expect(
      accepted(await patch(place(), `${home}/services/headless`, MERGE, { spec: { clusterIP: null } })),
    ).toMatchObject({ spec: { clusterIP: 'None', clusterIPs: ['None'] } });
    expect(accepted(await put(place(), `${home}/services/headless`, service('headless', {})))).toMatchObject({
      spec: { clusterIP: 'None', clusterIPs: ['None'] },
    });
    const { spec } = accepted(await post(place(), `${home}/services`, service('plain', {}))) as { spec: Json };
    expect(accepted(await put(place(), `${home}/services/plain`, service('plain', {})))).toMatchObject({
      spec: { clusterIP: spec['clusterIP'] },
    });
  });

  it('node ports: two protocols of one Service share one, two Services do not; kept by a PUT, given up by ClusterIP', async () => {
    const home = await namespace(place(), 'node-ports');
    const services = `${home}/services`;
    const tcp = { name: 'a', port: 1 };
    // From the parts of both ranges that are left to those who choose themselves.
    const [clusterIP, nodePort] = ['10.96.0.77', 30021];
    accepted(
      await post(place(), services, service('a', { type: 'NodePort', clusterIP, ports: [{ ...tcp, nodePort }] })),
      201,
    );
    expect(
      accepted(await put(place(), `${services}/a`, service('a', { type: 'NodePort', ports: [tcp] }))),
    ).toMatchObject({ spec: { clusterIP, ports: [{ nodePort }] } });
    const udp = { name: 'b', port: 1, protocol: 'UDP', nodePort };
    expect(
      accepted(
        await put(place(), `${services}/a`, service('a', { type: 'NodePort', ports: [{ ...tcp, nodePort }, udp] })),
      ),
    ).toMatchObject({ spec: { ports: [{ nodePort }, { nodePort, protocol: 'UDP' }] } });
    refused(
      await post(place(), services, service('b', { type: 'NodePort', ports: [{ port: 1, nodePort }] })),
      422,
      /provided port is already allocated/,
    );
    const flipped = accepted(
      await put(place(), `${services}/a`, service('a', { type: 'ClusterIP', ports: [tcp] })),
    ) as { spec: { clusterIP: string; ports: Json[] } };
    expect(flipped.spec.ports[0]).not.toHaveProperty('nodePort');
    expect(flipped.spec.clusterIP).toBe(clusterIP);
    refused(await post(place(), services, service('c', { clusterIP })), 422, /provided IP is already allocated/);
    accepted(
      await post(
        place(),
        `${services}?dryRun=All`,
        service('dry', { type: 'NodePort', ports: [{ port: 1, nodePort }] }),
      ),
    );
    expect((await place().rest.get(`${services}/dry`)).code).toBe(404);
    // What was given up may be had: the port by another Service, the address after a flip to ExternalName.
    accepted(await post(place(), services, service('d', { type: 'NodePort', ports: [{ port: 1, nodePort }] })), 201);
    accepted(
      await put(place(), `${services}/a`, {
        metadata: { name: 'a' },
        spec: { type: 'ExternalName', externalName: 'x.test' },
      }),
    );
    accepted(await post(place(), services, service('e', { clusterIP })), 201);
  });
}
