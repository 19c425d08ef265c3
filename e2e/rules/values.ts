/** What a body's values become: base64, 64-bit integers, null, lists that a patch brings. */
import { expect, it } from 'vitest';
import {
  accepted,
  define,
  deployment,
  inGroup,
  namespace,
  patch,
  pod,
  post,
  refused,
  MERGE,
  STRATEGIC,
  type Place,
} from './place.js';

/** base64 in lines of 76 characters, as base64(1) and openssl print it. */
const wrapped = (text: string, end: string) =>
  Buffer.from(text).toString('base64').replaceAll(/.{76}/g, `$&${end}`) + end;

export function valueRules(place: () => Place): void {
  it('base64 broken over lines is accepted and stored without the breaks; a blank inside is refused', async () => {
    const home = await namespace(place(), 'base64');
    const text = 'long enough for two lines of base64: '.repeat(4);
    for (const [name, end] of [
      ['lf', '\n'],
      ['crlf', '\r\n'],
    ] as const) {
      expect(
        accepted(await post(place(), `${home}/secrets`, { metadata: { name }, data: { f: wrapped(text, end) } })),
      ).toMatchObject({ data: { f: Buffer.from(text).toString('base64') } });
    }
    expect(
      accepted(
        await post(place(), `${home}/configmaps`, {
          metadata: { name: 'binary' },
          binaryData: { f: wrapped('hi', '\n') },
        }),
      ),
    ).toMatchObject({ binaryData: { f: 'aGk=' } });
    refused(await post(place(), `${home}/secrets`, { metadata: { name: 'blank' }, data: { f: 'aGVs bG8=' } }), 400);
    // The last character carries bits that belong to no byte: the value is, the spelling is not kept.
    expect(
      accepted(await post(place(), `${home}/secrets`, { metadata: { name: 'canonical' }, data: { f: 'YR==' } })),
    ).toMatchObject({ data: { f: 'YQ==' } });
    // By a patch, and by kubectl from YAML, it is the same field.
    expect(
      accepted(await patch(place(), `${home}/secrets/lf`, MERGE, { data: { g: wrapped(text, '\n') } })),
    ).toMatchObject({ data: { g: Buffer.from(text).toString('base64') } });
    const yaml = [
      'apiVersion: v1',
      'kind: Secret',
      'metadata: {name: yaml}',
      'data:',
      '  f: |',
      ...wrapped(text, '\n')
        .split('\n')
        .map((line) => `    ${line}`),
    ].join('\n');
    await place().kubectl.ok(['-n', 'base64', 'apply', '-f', '-'], { stdin: yaml });
    expect(await place().kubectl.json(['-n', 'base64', 'get', 'secret', 'yaml'])).toMatchObject({
      data: { f: Buffer.from(text).toString('base64') },
    });
  });

  it('a strategic merge takes a list, or an element, that the object does not have yet as it is', async () => {
    const home = await namespace(place(), 'strategic');
    const deployments = `${inGroup(home, 'apps/v1')}/deployments`;
    accepted(await post(place(), deployments, deployment('web')));
    const merged = async (spec: unknown) =>
      accepted(await patch(place(), `${deployments}/web`, STRATEGIC, { spec: { template: { spec } } }));
    const containers = (...list: unknown[]) => ({
      spec: { template: { spec: { containers: expect.arrayContaining(list) as unknown } } },
    });
    const dns = [
      { name: 'tcp', containerPort: 53, protocol: 'TCP' },
      { name: 'udp', containerPort: 53, protocol: 'UDP' },
    ];
    const both = (ports: readonly unknown[]) => expect.objectContaining({ ports }) as unknown;
    expect(await merged({ containers: [{ name: 'main', ports: dns }] })).toMatchObject(containers(both(dns)));
    expect(await merged({ containers: [{ name: 'side', image: 'x', ports: dns }] })).toMatchObject(
      containers(both(dns), expect.objectContaining({ name: 'side', ports: dns })),
    );
    const env = [
      { name: 'A', value: 'first' },
      { name: 'A', value: 'second' },
    ];
    expect(await merged({ containers: [{ name: 'twice', image: 'x', env }] })).toMatchObject(
      containers(expect.objectContaining({ name: 'twice', env })),
    );
    // Another list whose merge key is not what makes its elements distinct.
    const spread = ['DoNotSchedule', 'ScheduleAnyway'].map((whenUnsatisfiable) => ({
      maxSkew: 1,
      topologyKey: 'zone',
      whenUnsatisfiable,
      labelSelector: { matchLabels: { app: 'web' } },
    }));
    expect(await merged({ topologySpreadConstraints: spread })).toMatchObject({
      spec: { template: { spec: { topologySpreadConstraints: spread } } },
    });
  });

  it('integers of 64 bits keep every digit, rules compare the true value, and what no number holds is refused', async () => {
    const home = await namespace(place(), 'wide');
    const wides = await define(place(), home, {
      plural: 'wides',
      spec: {
        type: 'object',
        properties: {
          int64: { type: 'integer', format: 'int64' },
          number: { type: 'number' },
          any: { 'x-kubernetes-preserve-unknown-fields': true },
          capped: { type: 'integer', maximum: 9007199254740992 },
          ruled: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self < 9007199254740993' }] },
        },
      },
    });
    for (const spec of [
      '{"int64":1795842427123456789}',
      '{"int64":-9223372036854775808}',
      '{"number":9007199254740993}',
      '{"any":{"x":[9007199254740993]}}',
    ]) {
      const answer = await wides.create(spec);
      expect(answer.text.replaceAll(/\s/g, ''), spec).toContain(spec.slice(1, -1));
    }
    refused(await wides.create('{"capped":9007199254740993}'), 422, /less than or equal to 9007199254740992|maximum/i);
    refused(await wides.create('{"ruled":9007199254740993}'), 422, /self < 9007199254740993/);
    expect((await wides.create('{"ruled":9007199254740992}')).code).toBe(201);
    refused(await wides.create('{"number":1e400}'), 400);
    refused(await wides.create('{"int64":9223372036854775808}'), 422, /spec\.int64/);
    const limits =
      '{"metadata":{"name":"quantity"},"spec":{"containers":[{"name":"a","image":"b","resources":{"limits":{"memory":9007199254740993}}}]}}';
    expect((await post(place(), `${home}/pods`, limits)).text).toMatch(/"memory": *"9007199254740993"/);
    const revisions = `${inGroup(home, 'apps/v1')}/controllerrevisions`;
    expect(
      (await post(place(), revisions, '{"metadata":{"name":"r"},"data":{},"revision":9007199254740993}')).text,
    ).toMatch(/"revision": *9007199254740993/);
    // Through a patch of something else, and through kubectl's YAML, the digits stay.
    expect((await patch(place(), `${revisions}/r`, MERGE, { metadata: { labels: { seen: 'yes' } } })).text).toMatch(
      /"revision": *9007199254740993/,
    );
    expect(await place().kubectl.ok(['-n', 'wide', 'get', 'controllerrevision', 'r', '-o', 'yaml'])).toMatch(
      /^revision: 9007199254740993$/m,
    );
  });

  it('null where a template left nothing: a zero quantity, the default, null where nullable, else absent', async () => {
    const home = await namespace(place(), 'nulls');
    const container = { name: 'main', image: 'web:1', resources: { limits: { cpu: null, memory: '1Gi' } } };
    expect(accepted(await post(place(), `${home}/pods`, pod('quantity', { containers: [container] })))).toMatchObject({
      spec: { containers: [{ resources: { limits: { cpu: '0', memory: '1Gi' } } }] },
    });
    expect(
      accepted(
        await post(place(), `${home}/resourcequotas`, { metadata: { name: 'q' }, spec: { hard: { cpu: null } } }),
        201,
      ),
    ).toMatchObject({ spec: { hard: { cpu: '0' } } });
    accepted(
      await post(place(), `${home}/limitranges`, {
        metadata: { name: 'l' },
        spec: { limits: [{ type: 'Container', default: { cpu: null } }] },
      }),
      201,
    );
    // A map of strings has a Go string's zero.
    expect(
      accepted(
        await post(place(), `${home}/configmaps`, {
          metadata: { name: 'labels', labels: { a: null } },
          data: { b: null },
        }),
      ),
    ).toMatchObject({ metadata: { labels: { a: '' } }, data: { b: '' } });
    const nulls = await define(place(), home, {
      plural: 'nulls',
      spec: {
        type: 'object',
        properties: {
          nullable: { type: 'string', nullable: true, default: 'd' },
          defaulted: { type: 'string', default: 'd' },
          plain: { type: 'string' },
          map: { type: 'object', additionalProperties: { type: 'string' } },
          list: { type: 'array', items: { type: 'object', properties: { a: { type: 'string', default: 'd' } } } },
        },
      },
    });
    const spec = async (body: string) => (accepted(await nulls.create(body), 201) as { spec?: object }).spec;
    expect(await spec('{"nullable":null,"defaulted":null,"plain":null,"map":{"a":null,"b":"x"}}')).toEqual({
      nullable: null,
      defaulted: 'd',
      map: { b: 'x' },
    });
    expect(await spec('{"list":[{"a":null}]}')).toEqual({ nullable: 'd', defaulted: 'd', list: [{ a: 'd' }] });
    expect(await spec('null')).toBeUndefined();
  });
}
