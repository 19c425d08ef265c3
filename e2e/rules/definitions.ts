/** Rules of custom resources: which are understood, which are enforced, and which definitions are refused. */
import { expect, it } from 'vitest';
import {
  accepted,
  define,
  definition,
  inGroup,
  namespace,
  patch,
  post,
  put,
  refused,
  MERGE,
  type Json,
  type Place,
} from './place.js';

interface Rule {
  readonly schema: Json;
  readonly rule: string;
  readonly good: unknown;
  readonly bad: unknown;
}

const TEXT = { type: 'string', maxLength: 99 };
const text = (rule: string, good: string, bad: string): Rule => ({ schema: TEXT, rule, good, bad });

/** A property for each library: both values must be judged, since a rule that is passed over accepts everything. */
const LIBRARIES: Readonly<Record<string, Rule>> = {
  url: text("url(self).getScheme() == 'https'", 'https://x', 'http://x'),
  quantity: text("quantity(self).isLessThan(quantity('1Gi'))", '1Mi', '2Gi'),
  ip: text('isIP(self) && ip(self).family() == 4', '1.2.3.4', '::1'),
  cidr: text('isCIDR(self)', '10.0.0.0/8', '10.0.0.0'),
  contains: text("cidr(self).containsIP('10.1.2.3')", '10.0.0.0/8', '192.168.0.0/16'),
  icase: text("self.matches('(?i)^ab$')", 'AB', 'BA'),
  semver: text('isSemver(self)', '1.2.3', '1.2'),
  label: text('!format.dns1123Label().validate(self).hasValue()', 'ok', 'Not_ok'),
  sub: text("self.substring(1) == 'b'", 'ab', 'ba'),
  found: text(String.raw`self.find('[0-9]+') == '42'`, 'a42b', 'a4b2'),
  when: {
    schema: { type: 'string', format: 'date-time' },
    rule: "self > timestamp('2020-01-01T00:00:00Z')",
    good: '2021-01-01T00:00:00Z',
    bad: '2019-01-01T00:00:00Z',
  },
  long: { schema: { type: 'string', format: 'duration' }, rule: "self < duration('1h')", good: '5m', bad: '2h' },
  pairs: {
    schema: { type: 'object', additionalProperties: { type: 'integer' }, maxProperties: 5 },
    rule: 'self.all(k, v, v > 0)',
    good: { a: 1 },
    bad: { a: 0 },
  },
  some: {
    schema: { type: 'object', additionalProperties: { type: 'integer' }, maxProperties: 5 },
    rule: "self.exists(k, v, k == 'a' && v > 0)",
    good: { a: 1 },
    bad: { b: 1 },
  },
  subset: {
    schema: { type: 'array', maxItems: 9, 'x-kubernetes-list-type': 'set', items: { type: 'string', maxLength: 9 } },
    rule: "sets.contains(['a', 'b'], self)",
    good: ['a'],
    bad: ['c'],
  },
};

/** Property name -> how a rule spells it. */
const ESCAPED: Readonly<Record<string, string>> = {
  'x-y': 'x__dash__y',
  'a.b': 'a__dot__b',
  'a/b': 'a__slash__b',
  namespace: '__namespace__',
  in: '__in__',
  a__b: 'a__underscores__b',
};

/** Schemas of `spec` that no object could be judged by. */
const BROKEN: Readonly<Record<string, Json>> = {
  'a field that is not there': {
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'self.nosuch > 1' }],
    properties: { a: { type: 'integer' } },
  },
  'a comparison of different types': {
    type: 'object',
    properties: { a: { ...TEXT, 'x-kubernetes-validations': [{ rule: 'self > 5' }] } },
  },
  'a default of another type': { type: 'object', properties: { a: { type: 'string', default: 5 } } },
  'a default outside the enum': { type: 'object', properties: { a: { type: 'string', enum: ['a'], default: 'b' } } },
  'a default without what is required': {
    type: 'object',
    required: ['x'],
    default: {},
    properties: { x: { type: 'string' } },
  },
  'a default beyond the maximum': { type: 'object', properties: { a: { type: 'integer', maximum: 3, default: 4 } } },
  'a default that breaks its rule': {
    type: 'object',
    properties: { a: { type: 'integer', default: 4, 'x-kubernetes-validations': [{ rule: 'self < 4' }] } },
  },
  'a rule over a list without bounds': {
    type: 'object',
    properties: {
      a: {
        type: 'array',
        items: { type: 'string', 'x-kubernetes-validations': [{ rule: "self.matches('^[a-z]+$')" }] },
      },
    },
  },
  'a rule that is not a condition': {
    type: 'object',
    properties: { a: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self + 1' }] } },
  },
};

export function definitionRules(place: () => Place): void {
  it("Kubernetes' CEL libraries judge values", async () => {
    const home = await namespace(place(), 'libraries');
    const properties = Object.fromEntries(
      Object.entries(LIBRARIES).map(([name, { schema, rule }]) => [
        name,
        { ...schema, 'x-kubernetes-validations': [{ rule }] },
      ]),
    );
    const old = {
      ...TEXT,
      'x-kubernetes-validations': [{ rule: '!oldSelf.hasValue() || self == oldSelf.value()', optionalOldSelf: true }],
    };
    const cels = await define(place(), home, {
      plural: 'cels',
      spec: { type: 'object', properties: { ...properties, old } },
    });
    const codes: Record<string, readonly number[]> = {};
    for (const [name, { good, bad }] of Object.entries(LIBRARIES)) {
      codes[name] = [
        (await cels.create(JSON.stringify({ [name]: good }))).code,
        (await cels.create(JSON.stringify({ [name]: bad }))).code,
      ];
    }
    expect(codes).toEqual(Object.fromEntries(Object.keys(LIBRARIES).map((name) => [name, [201, 422]])));
    accepted(await cels.create('{"old":"1"}', 'once'), 201);
    accepted(await patch(place(), `${cels.path}/once`, MERGE, { spec: { icase: 'ab' } }));
    refused(await patch(place(), `${cels.path}/once`, MERGE, { spec: { old: '2' } }), 422, /spec\.old/);
  });

  it('a rule speaks of x-y as x__dash__y, of a keyword in underscores, and is enforced', async () => {
    const home = await namespace(place(), 'escaped');
    const names = Object.entries(ESCAPED);
    const escs = await define(place(), home, {
      plural: 'escs',
      spec: {
        type: 'object',
        'x-kubernetes-validations': names.map(([, escaped]) => ({
          rule: `!has(self.${escaped}) || self.${escaped} == 'good'`,
        })),
        properties: Object.fromEntries(names.map(([name]) => [name, { type: 'string', maxLength: 9 }])),
      },
    });
    for (const [name] of names) {
      expect([name, (await escs.create(JSON.stringify({ [name]: 'good' }))).code]).toEqual([name, 201]);
      refused(await escs.create(JSON.stringify({ [name]: 'bad' })), 422, /failed rule/);
    }
  });

  it('a definition that no object could satisfy, or whose rules do not compile, is refused when it is written', async () => {
    for (const [what, spec] of Object.entries(BROKEN)) {
      const body = definition('brokens', { type: 'object', properties: { spec } }, false);
      const { code, stderr } = await place().kubectl.run(['create', '-f', '-'], { stdin: JSON.stringify(body) });
      expect([what, code]).toEqual([what, 1]);
      expect(stderr, what).toMatch(/The CustomResourceDefinition "brokens\.rules\.example" is invalid/);
    }
  });

  it('a write to /status changes status alone, another one everything else', async () => {
    const home = await namespace(place(), 'substatus');
    const stats = await define(place(), home, {
      plural: 'stats',
      schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      status: true,
    });
    accepted(await stats.create('{"kept":true}', 'a'), 201);
    const smuggled = {
      labels: { l: 'x' },
      annotations: { a: 'x' },
      finalizers: ['a.b/c'],
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: '1' }],
    };
    const clean = (object: Record<string, unknown>) => {
      expect(object).toMatchObject({ spec: { kept: true }, status: { ok: true } });
      for (const field of Object.keys(smuggled)) expect(object['metadata']).not.toHaveProperty(field);
    };
    clean(
      accepted(
        await patch(place(), `${stats.path}/a/status`, MERGE, {
          metadata: smuggled,
          spec: { kept: false },
          status: { ok: true },
        }),
      ),
    );
    // The same by PUT, and the reverse: status in a write to the object itself.
    const current = accepted(await place().rest.get(`${stats.path}/a`)) as { metadata: Json };
    clean(
      accepted(
        await put(place(), `${stats.path}/a/status`, {
          ...current,
          metadata: { ...current.metadata, ...smuggled },
          spec: {},
          status: { ok: true },
        }),
      ),
    );
    clean(accepted(await patch(place(), `${stats.path}/a`, MERGE, { status: { ok: false } })));
    const deployments = `${inGroup(home, 'apps/v1')}/deployments`;
    accepted(
      await post(place(), deployments, {
        metadata: { name: 'd' },
        spec: {
          replicas: 0,
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
        },
      }),
    );
    const changed = accepted(
      await patch(place(), `${deployments}/d/status`, MERGE, {
        metadata: { labels: { smuggled: 'x' } },
        spec: { replicas: 3 },
      }),
    );
    expect(changed).toMatchObject({ spec: { replicas: 0 } });
    expect(changed['metadata']).not.toHaveProperty('labels');
  });
}
