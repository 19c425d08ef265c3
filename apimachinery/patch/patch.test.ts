import { describe, expect, it } from 'vitest';
import { present } from '../../platform/assert.js';
import { builtInScheme } from '../scheme/builtin.js';
import { resolverOf } from '../schema/resolve.js';
import { isApiError } from '../status.js';
import type { JsonObject } from '../value.js';
import { costOf } from '../../platform/testing-work.js';
import { finish, SLICE_UNITS } from '../../platform/work.js';
import { applyJsonPatch, applyJsonPatchWork } from './json-patch.js';
import { applyMergePatch } from './merge-patch.js';
import { applyStrategicMergePatch, applyStrategicMergePatchWork } from './strategic.js';
import { mergeLists } from './strategic-lists.js';

const codeOf = (run: () => unknown): number => {
  try {
    run();
  } catch (error) {
    if (isApiError(error)) return error.code;
    throw error;
  }
  return 200;
};

describe('JSON patch (RFC 6902)', () => {
  it.each<[unknown, unknown, unknown]>([
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
    [{ foo: ['a', 'c'] }, [{ op: 'add', path: '/foo/1', value: 'b' }], { foo: ['a', 'b', 'c'] }],
    [{ foo: ['a'] }, [{ op: 'add', path: '/foo/-', value: ['b'] }], { foo: ['a', ['b']] }],
    [{ a: 1, b: 2 }, [{ op: 'remove', path: '/b' }], { a: 1 }],
    [{ a: 1 }, [{ op: 'replace', path: '/a', value: 2 }], { a: 2 }],
    [{ a: { x: 1 }, b: {} }, [{ op: 'move', from: '/a/x', path: '/b/y' }], { a: {}, b: { y: 1 } }],
    [{ l: [1, 2, 3] }, [{ op: 'move', from: '/l/0', path: '/l/2' }], { l: [2, 3, 1] }],
    [
      { a: { x: 1 } },
      [
        { op: 'copy', from: '/a', path: '/b' },
        { op: 'add', path: '/b/y', value: 2 },
      ],
      { a: { x: 1 }, b: { x: 1, y: 2 } },
    ],
    [
      { 'a/b': 1, 'm~n': 2 },
      [
        { op: 'test', path: '/a~1b', value: 1 },
        { op: 'test', path: '/m~0n', value: 2 },
      ],
      { 'a/b': 1, 'm~n': 2 },
    ],
    [{ a: null }, [{ op: 'test', path: '/a', value: null }], { a: null }],
  ])('%j %j', (document, patch, expected) => {
    const before = structuredClone(document);
    expect(applyJsonPatch(document, patch)).toEqual(expected);
    expect(document).toEqual(before);
  });

  /** gopkg.in/evanphx/json-patch.v4, which kube-apiserver uses, goes beyond the RFC. */
  it.each<[string, unknown, unknown, unknown]>([
    [
      '-1 is the last item',
      { l: [1, 2] },
      [
        { op: 'replace', path: '/l/-1', value: 3 },
        { op: 'test', path: '/l/-2', value: 1 },
      ],
      { l: [1, 3] },
    ],
    [
      '-1 adds behind the last',
      { l: [1, 2] },
      [
        { op: 'add', path: '/l/-1', value: 3 },
        { op: 'add', path: '/l/-4', value: 0 },
      ],
      { l: [0, 1, 2, 3] },
    ],
    [
      '-1 removes, copies and moves the last',
      { l: [1, 2, 3] },
      [
        { op: 'remove', path: '/l/-1' },
        { op: 'copy', from: '/l/-1', path: '/a' },
        { op: 'move', from: '/l/-1', path: '/b' },
      ],
      { l: [1], a: 2, b: 2 },
    ],
    ['replace sets what is absent', { o: {} }, [{ op: 'replace', path: '/o/x', value: 1 }], { o: { x: 1 } }],
    [
      'an absent value is null',
      { o: {} },
      [
        { op: 'add', path: '/o/x' },
        { op: 'test', path: '/o/x' },
        { op: 'test', path: '/o/y', value: null },
      ],
      { o: { x: null } },
    ],
    ['a copy of what is absent is null', { o: {} }, [{ op: 'copy', from: '/o/x', path: '/o/y' }], { o: { y: null } }],
    [
      'signs and zeros before an index',
      { l: [1, 2] },
      [
        { op: 'replace', path: '/l/+1', value: 3 },
        { op: 'replace', path: '/l/00', value: 0 },
      ],
      { l: [0, 3] },
    ],
    [
      'the whole document may be tested and replaced',
      { a: 1 },
      [
        { op: 'test', path: '', value: { a: 1 } },
        { op: 'replace', path: '', value: { b: 1 } },
      ],
      { b: 1 },
    ],
  ])('%s', (_what, document, patch, expected) => expect(applyJsonPatch(document, patch)).toEqual(expected));

  it.each<[unknown, string]>([
    [{}, 'cannot unmarshal object into Go value of type []handlers.jsonPatchOp'],
    [[1], 'cannot unmarshal number into Go value of type handlers.jsonPatchOp'],
    [[{ op: 'add', path: 1 }], 'cannot unmarshal number into Go struct field jsonPatchOp.path of type string'],
  ])('%j is a bad request: %s', (patch, why) => {
    expect(codeOf(() => applyJsonPatch({}, patch))).toBe(400);
    expect(() => applyJsonPatch({}, patch)).toThrow(`error decoding patch: json: ${why}`);
  });

  it.each<[unknown, number]>([
    [[{ op: 'remove', path: '/nope' }], 422],
    [[{ op: 'replace', path: '/l/5', value: 1 }], 422],
    [[{ op: 'add', path: '/l/5', value: 1 }], 422],
    [[{ op: 'add', path: '/l/-3', value: 1 }], 422],
    [[{ op: 'remove', path: '/l/-2' }], 422],
    [[{ op: 'add', path: '/l/x', value: 1 }], 422],
    [[{ op: 'test', path: '/a', value: 2 }], 422],
    [[{ op: 'add', path: '/x/y', value: 1 }], 422],
    [[{ op: 'remove', path: '' }], 422],
    [[{ op: 'move', from: '/o', path: '/o/p' }], 422],
    [[{ op: 'add', path: '/__proto__/polluted', value: 1 }], 422],
    [[{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }], 422],
    [[{ op: 'jump', path: '/a' }], 422],
    [[{ op: 'add', path: 'a', value: 1 }], 422],
    [[null], 422],
    [[{ path: '/a' }], 422],
    [[{ op: 'replace', path: '', value: 1 }], 422],
    [Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 })), 413],
  ])('%j is refused with %i', (patch, code) => {
    expect(codeOf(() => applyJsonPatch({ a: 1, l: [1], o: { p: 1 } }, patch))).toBe(code);
    expect(({} as JsonObject)['polluted']).toBeUndefined();
  });

  it('caps what copies add up to (CVE-2019-1002100)', () => {
    const doubling = Array.from({ length: 40 }, (_, i) => ({ op: 'copy', from: '/a', path: `/a/x${i}` }));
    expect(codeOf(() => applyJsonPatch({ a: { text: 'x'.repeat(1000) } }, doubling))).toBe(422);
  });
});

describe('merge patch (RFC 7386, appendix A)', () => {
  it.each<[JsonObject, unknown, unknown]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ a: [1] }, { a: [{ b: null, c: 1 }, null] }, { a: [{ c: 1 }, null] }],
  ])('%j + %j', (object, patch, expected) => expect(applyMergePatch(object, patch)).toEqual(expected));

  it('never touches a prototype', () => {
    const result = applyMergePatch(
      {},
      JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
    );
    expect(Object.keys(result)).toEqual(['__proto__', 'constructor']);
    expect(({} as JsonObject)['polluted']).toBeUndefined();
    expect(codeOf(() => applyMergePatch({}, []))).toBe(400);
  });
});

describe('strategic merge patch (strategicpatch)', () => {
  const scheme = builtInScheme();
  const resolver = resolverOf(scheme);
  const apply = (kind: string, object: JsonObject, patch: unknown): JsonObject => {
    const group = kind === 'Deployment' ? 'apps' : '';
    return applyStrategicMergePatch(
      object,
      patch,
      present(scheme.byKind({ group, version: 'v1', kind }), kind).schema,
      resolver,
    );
  };
  const pod = (...containers: JsonObject[]): JsonObject => ({ spec: { containers } });

  it('merges containers by name; a new one goes first, as the documentation of kubectl patch shows', () => {
    const object = pod({ name: 'a', image: '1', env: [{ name: 'X', value: '1' }] });
    const before = structuredClone(object);
    expect(apply('Pod', object, pod({ name: 'a', image: '2', env: [{ name: 'Y', value: '2' }] }))).toEqual(
      pod({
        name: 'a',
        image: '2',
        env: [
          { name: 'Y', value: '2' },
          { name: 'X', value: '1' },
        ],
      }),
    );
    expect(apply('Pod', object, pod({ name: 'b' }))).toEqual(
      pod({ name: 'b' }, { name: 'a', image: '1', env: [{ name: 'X', value: '1' }] }),
    );
    expect(object).toEqual(before);
  });

  it('$setElementOrder orders, and leaves what it does not name in place', () => {
    const object = pod({ name: 'a' }, { name: 'x' }, { name: 'b' });
    const patch = {
      spec: {
        '$setElementOrder/containers': [{ name: 'b' }, { name: 'c' }, { name: 'a' }],
        containers: [{ name: 'c', image: '1' }],
      },
    };
    expect(apply('Pod', object, patch)).toEqual(
      pod({ name: 'x' }, { name: 'b' }, { name: 'c', image: '1' }, { name: 'a' }),
    );
    expect(
      apply('Pod', object, { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'x' }, { name: 'a' }] } }),
    ).toEqual(pod({ name: 'b' }, { name: 'x' }, { name: 'a' }));
  });

  it('$patch deletes and replaces', () => {
    const object = pod({ name: 'a' }, { name: 'b' });
    expect(apply('Pod', object, { spec: { containers: [{ name: 'a', $patch: 'delete' }] } })).toEqual(
      pod({ name: 'b' }),
    );
    expect(apply('Pod', object, { spec: { containers: [{ $patch: 'delete', name: 'zz' }] } })).toEqual(object);
    expect(apply('Pod', object, { spec: { $patch: 'replace', nodeName: 'n' } })).toEqual({ spec: { nodeName: 'n' } });
    expect(apply('Pod', object, { spec: { $patch: 'delete' } })).toEqual({ spec: {} });
  });

  it('$patch: replace as an item replaces the list', () => {
    const object = pod({ name: 'a' }, { name: 'b' });
    expect(apply('Pod', object, { spec: { containers: [{ name: 'c' }, { name: '', $patch: 'replace' }] } })).toEqual(
      pod({ name: 'c' }),
    );
  });

  it('$retainKeys clears the other members of a union', () => {
    const object = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    expect(apply('Deployment', object, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } })).toEqual({
      spec: { strategy: { type: 'Recreate' } },
    });
    expect(
      codeOf(() => apply('Deployment', object, { spec: { strategy: { $retainKeys: ['type'], rollingUpdate: {} } } })),
    ).toBe(400);
    const volumes = { spec: { volumes: [{ name: 'v', emptyDir: {} }] } };
    expect(
      apply('Pod', volumes, {
        spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] },
      }),
    ).toEqual({ spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } });
  });

  it('merges and deletes in lists of plain values', () => {
    const object = { metadata: { finalizers: ['a', 'b'] } };
    expect(apply('Pod', object, { metadata: { finalizers: ['c'] } })).toEqual({
      metadata: { finalizers: ['c', 'a', 'b'] },
    });
    expect(apply('Pod', object, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } })).toEqual({
      metadata: { finalizers: ['b'] },
    });
    expect(
      apply('Pod', object, {
        metadata: {
          '$setElementOrder/finalizers': ['c', 'b'],
          '$deleteFromPrimitiveList/finalizers': ['a'],
          finalizers: ['c'],
        },
      }),
    ).toEqual({ metadata: { finalizers: ['c', 'b'] } });
  });

  it('replaces atomic lists and deletes by null', () => {
    const object = pod({ name: 'a', command: ['x', 'y'], image: '1' });
    expect(apply('Pod', object, pod({ name: 'a', command: ['z'], image: null as unknown as string }))).toEqual(
      pod({ name: 'a', command: ['z'] }),
    );
    expect(apply('Pod', {}, { metadata: { labels: { a: null, b: '1' } } })).toEqual({
      metadata: { labels: { b: '1' } },
    });
  });

  it('keeps one port number for two protocols apart (kubernetes/kubernetes#39188)', () => {
    const object = {
      spec: {
        ports: [
          { name: 'tcp', port: 53, protocol: 'TCP' },
          { name: 'udp', port: 53, protocol: 'UDP' },
        ],
      },
    };
    expect(
      apply('Service', object, { spec: { ports: [{ port: 53, protocol: 'UDP', targetPort: 5353 }] } })['spec'],
    ).toEqual({
      ports: [
        { name: 'tcp', port: 53, protocol: 'TCP' },
        { name: 'udp', port: 53, protocol: 'UDP', targetPort: 5353 },
      ],
    });
    const one = { spec: { ports: [{ name: 'tcp', port: 53, protocol: 'TCP' }] } };
    const patch = {
      spec: {
        '$setElementOrder/ports': [{ port: 53 }, { port: 53 }],
        ports: [{ name: 'udp', port: 53, protocol: 'UDP' }],
      },
    };
    expect(apply('Service', one, patch)).toEqual(object);
    expect(apply('Service', object, { spec: { ports: [{ $patch: 'delete', port: 53, protocol: 'TCP' }] } })).toEqual({
      spec: { ports: [{ name: 'udp', port: 53, protocol: 'UDP' }] },
    });
  });

  /** A table over strategicpatch's own answers: each line was put to upstream's package. */
  it.each<[string, JsonObject, JsonObject, JsonObject]>([
    [
      'a list that is absent is taken whole',
      { spec: {} },
      {
        spec: {
          ports: [
            { port: 53, protocol: 'TCP' },
            { port: 53, protocol: 'UDP' },
          ],
        },
      },
      {
        spec: {
          ports: [
            { port: 53, protocol: 'TCP' },
            { port: 53, protocol: 'UDP' },
          ],
        },
      },
    ],
    [
      'items that only delete fall away from it',
      {},
      { spec: { ports: [{ port: 1, $patch: 'delete' }, { port: 2 }] } },
      { spec: { ports: [{ port: 2 }] } },
    ],
    [
      'an absent map that is a directive leaves nothing',
      { spec: {} },
      { spec: { selector: { $patch: 'replace', a: 'b' } } },
      { spec: {} },
    ],
    [
      'other directives stay where nothing was',
      {},
      { metadata: { $retainKeys: ['name'], name: 'x' } },
      { metadata: { $retainKeys: ['name'], name: 'x' } },
    ],
    [
      'nulls fall away from what is absent, at any depth',
      {},
      { spec: { ports: [{ port: 1, name: null }] } },
      { spec: { ports: [{ port: 1 }] } },
    ],
    [
      '$deleteFromPrimitiveList of null deletes the list',
      { metadata: { finalizers: ['a'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': null } },
      { metadata: {} },
    ],
    [
      '$deleteFromPrimitiveList does not make a list',
      { metadata: {} },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
      { metadata: {} },
    ],
    [
      'a value of another type takes the place',
      { spec: { ports: [{ port: 1 }] } },
      { spec: { ports: 'x' } },
      { spec: { ports: 'x' } },
    ],
    [
      'an empty list changes no list that merges',
      { metadata: { finalizers: ['a'] } },
      { metadata: { finalizers: [] } },
      { metadata: { finalizers: ['a'] } },
    ],
    [
      '$patch: replace clears a list',
      { spec: { ports: [{ port: 1 }] } },
      { spec: { ports: [{ $patch: 'replace' }] } },
      { spec: { ports: [] } },
    ],
    [
      'an order without a name for a new list turns it round',
      { metadata: {} },
      { metadata: { '$setElementOrder/finalizers': [], finalizers: ['a', 'b', 'c'] } },
      { metadata: { finalizers: ['c', 'b', 'a'] } },
    ],
  ])('%s', (_what, object, patch, expected) => expect(apply('Service', object, patch)).toEqual(expected));

  it('takes a new element with its inner lists as they are: two ports of one number, a variable given twice', () => {
    const side = {
      name: 'side',
      env: [
        { name: 'A', value: '1' },
        { name: 'A', value: '2' },
      ],
      ports: [
        { containerPort: 53, protocol: 'TCP' },
        { containerPort: 53, protocol: 'UDP' },
      ],
    };
    expect(apply('Pod', pod({ name: 'a' }), pod(side))).toEqual(pod(side, { name: 'a' }));
    expect(apply('Pod', pod({ name: 'side' }), pod(side))).toEqual(pod(side));
    const odd = { name: 'side', ports: [{ containerPort: 1, $patch: 'delete' }], image: null };
    expect(apply('Pod', pod({ name: 'a' }), pod(odd))).toEqual(pod(odd, { name: 'a' }));
  });

  it('counts what was added in the room of a deletion as stored, for the order', () => {
    const patch = {
      spec: {
        '$setElementOrder/containers': [{ name: 'd' }, { name: 'a' }],
        containers: [{ name: 'b', $patch: 'delete' }, { name: 'd' }],
      },
    };
    expect(apply('Pod', pod({ name: 'a' }, { name: 'b' }, { name: 'c' }), patch)).toEqual(
      pod({ name: 'c' }, { name: 'd' }, { name: 'a' }),
    );
  });

  it.each<[string, JsonObject, JsonObject, number, string]>([
    ['unknown directive', {}, { $patch: 'zap', a: 1 }, 500, 'unknown patch type: zap in map: map[$patch:zap a:1]'],
    [
      'merge is no directive of a map',
      {},
      { $patch: 'merge' },
      500,
      'unknown patch type: merge in map: map[$patch:merge]',
    ],
    [
      'nor of an item',
      { spec: { ports: [{ port: 1 }] } },
      { spec: { ports: [{ $patch: 'merge', port: 1 }] } },
      500,
      'merging lists cannot yet be specified in the patch',
    ],
    [
      'no merge key',
      { spec: { ports: [{ port: 1 }] } },
      { spec: { ports: [{ name: 'x' }] } },
      500,
      'map: map[name:x] does not contain declared merge key: port',
    ],
    [
      'mixed types',
      { metadata: { finalizers: ['a'] } },
      { metadata: { finalizers: [1] } },
      500,
      'list element types are not identical: [[a] [1]]',
    ],
    [
      'order that is no list',
      { metadata: {} },
      { metadata: { '$setElementOrder/finalizers': 'x' } },
      500,
      'expected a []interface {}, but received a string',
    ],
    [
      'order of no field',
      { spec: {} },
      { spec: { '$setElementOrder/foo': [] } },
      500,
      'unable to find api field in struct ServiceSpec for the json field "foo"',
    ],
    [
      'order of no list',
      { spec: { selector: { a: 'b' } } },
      { spec: { '$setElementOrder/selector': [] } },
      500,
      'expected a []interface {}, but received a map[string]interface {}',
    ],
    [
      'order against the patch',
      { spec: { ports: [{ port: 1 }] } },
      { spec: { '$setElementOrder/ports': [{ port: 1 }, { port: 2 }], ports: [{ port: 2 }, { port: 1 }] } },
      500,
      "The order in patch list:\n[map[port:2] map[port:1]]\n doesn't match $setElementOrder list:\n[map[port:1] map[port:2]]\n",
    ],
    [
      'order of nothing',
      { metadata: {} },
      { metadata: { '$setElementOrder/finalizers': ['a'], finalizers: [] } },
      500,
      'no elements in any of the given slices',
    ],
    [
      'retainKeys that is no list',
      { spec: {} },
      { spec: { $retainKeys: 'x' } },
      400,
      'invalid patch format of retainKeys',
    ],
    [
      'retainKeys without a key of the patch',
      { spec: {} },
      { spec: { $retainKeys: [], type: 'x' } },
      400,
      'invalid patch format of retainKeys',
    ],
    [
      'a deletion without a list',
      { metadata: {} },
      { metadata: { $deleteFromPrimitiveList: [] } },
      400,
      'invalid patch format of primitive list',
    ],
    [
      'an order without a list',
      { metadata: {} },
      { metadata: { '$setElementOrderX/a': [] } },
      400,
      'invalid patch format of setElementOrder list',
    ],
  ])("is refused in upstream's words: %s", (_what, object, patch, code, message) => {
    const answer = (): unknown => apply('Service', object, patch);
    expect(codeOf(answer)).toBe(code);
    expect(answer).toThrow(message);
  });

  it('does not cost the square of its items', () => {
    const ports = Array.from({ length: 30_000 }, (_, i) => ({ name: `c${i}` }));
    const patch = { spec: { '$setElementOrder/containers': ports, containers: ports } };
    expect((apply('Pod', pod(...ports), patch)['spec'] as JsonObject)['containers']).toHaveLength(30_000);
  });

  it('never touches a prototype', () => {
    const result = apply(
      'Pod',
      { metadata: {} },
      JSON.parse('{"metadata":{"labels":{"__proto__":"x","constructor":"y"}},"__proto__":{"polluted":1}}'),
    );
    expect(Object.keys((result['metadata'] as JsonObject)['labels'] as JsonObject)).toEqual([
      '__proto__',
      'constructor',
    ]);
    expect(({} as JsonObject)['polluted']).toBeUndefined();
  });
});

describe('a JSON patch looks at no more than a body may hold several times (issue 6, row 1)', () => {
  const large = { list: Array.from({ length: 10_000 }, (_, i) => i), deep: {} };
  it.each<[string, unknown[]]>([
    ['comparisons', Array.from({ length: 9000 }, () => ({ op: 'test', path: '/list', value: large.list }))],
    ['insertions at the head', Array.from({ length: 9900 }, () => ({ op: 'add', path: '/list/0', value: 1 }))],
    ['removals at the head', Array.from({ length: 9900 }, () => ({ op: 'remove', path: '/list/0' }))],
  ])('%s', (_name, patch) => {
    expect(() => applyJsonPatch(large, patch)).toThrow('look at too many values');
  });

  it('and what is usual is done', () => {
    const patch = Array.from({ length: 1000 }, (_, i) => ({ op: 'add', path: '/list/-', value: i }));
    expect((applyJsonPatch(large, patch) as typeof large).list).toHaveLength(11_000);
  });
});

it('a JSON patch that copies much pauses between its operations (issue 6, row 1)', () => {
  const data = Object.fromEntries(Array.from({ length: 9900 }, (_, i) => [`k${i}`, 'v']));
  const work = applyJsonPatchWork(
    { data },
    Array.from({ length: 20 }, (_, i) => ({ op: 'copy', from: '/data', path: `/copy${i}` })),
  );
  let pauses = 0;
  let next = work.next();
  for (; next.done !== true; next = work.next()) if (next.value >= SLICE_UNITS) pauses += 1;
  expect(pauses).toBe(20);
  expect(Object.keys(next.value as object)).toHaveLength(21);
});

describe('strategic merge of large lists (issue 6, row 1)', () => {
  const scheme = builtInScheme();
  const schemaOf = (group: string, resource: string) =>
    present(scheme.byResource({ group, version: 'v1', resource }), resource).schema;
  const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
  const deployment = (env: unknown[], order?: unknown[]): JsonObject => ({
    spec: {
      template: {
        spec: {
          containers: [
            { name: 'a', image: 'b', env, ...(order === undefined ? {} : { '$setElementOrder/env': order }) },
          ],
        },
      },
    },
  });
  const variables = (prefix: string, value: string) => many(4500, (i) => ({ name: `${prefix}${i}`, value }));
  const stored = deployment(variables('V', 'x'));

  it.each([
    ['changed', deployment(variables('V', 'y'))],
    ['new', deployment(variables('W', 'y'))],
    [
      'in an order',
      deployment(
        variables('V', 'y'),
        variables('V', 'y').map(({ name }) => ({ name })),
      ),
    ],
    ['deleted', deployment(variables('V', 'y').map(({ name }) => ({ name, $patch: 'delete' })))],
  ])('items that are %s are merged in slices', (_what, patch) => {
    const { total, longest } = costOf(
      applyStrategicMergePatchWork(stored, patch, schemaOf('apps', 'deployments'), resolverOf(scheme)),
    );
    expect(total).toBeGreaterThan(100_000);
    expect(longest).toBeLessThan(200_000);
  });

  /** How often an item is asked for the key that tells twins apart. */
  function reads(count: number, patchOf: (ports: JsonObject[]) => JsonObject[]): number {
    let asked = 0;
    const port = (i: number): JsonObject => ({ port: 80, protocol: `P${i}` });
    const listened = many(
      count,
      (i) => new Proxy(port(i), { get: (target, key) => (key === 'protocol' && asked++, Reflect.get(target, key)) }),
    );
    const list = mergeLists(
      listened,
      { patch: patchOf(many(count, port)) },
      {
        mergeKey: 'port',
        itemKind: 'struct',
        otherKeys: ['protocol'],
        defaultOf: () => 'TCP',
        *mergeItems(target, patch) {
          yield 1;
          return Object.assign(target, patch);
        },
      },
    );
    finish(list);
    return asked;
  }

  it.each<[string, (ports: JsonObject[]) => JsonObject[]]>([
    ['changed', (ports) => ports.map((port) => ({ ...port, name: 'x' }))],
    ['deleted', (ports) => ports.map((port) => ({ ...port, $patch: 'delete' }))],
  ])('twins that are %s are found without looking at all others', (_what, patchOf) => {
    expect(reads(400, patchOf)).toBeLessThan(3 * reads(200, patchOf));
  });

  it('a twin that gets another key is found by it afterwards', () => {
    const service = { spec: { ports: [{ port: 53, protocol: 'TCP' }] } };
    const patch = {
      spec: {
        ports: [
          { port: 53, protocol: 'UDP', name: 'a' },
          { port: 53, protocol: 'UDP', nodePort: 30_000 },
        ],
      },
    };
    expect(applyStrategicMergePatch(service, patch, schemaOf('', 'services'), resolverOf(scheme))).toEqual({
      spec: { ports: [{ port: 53, protocol: 'UDP', name: 'a', nodePort: 30_000 }] },
    });
  });
});

it('a pointer of a megabyte is not taken apart (issue 6, row 1)', () => {
  expect(codeOf(() => applyJsonPatch({ a: 1 }, [{ op: 'test', path: `/${'~1~0'.repeat(300_000)}`, value: 1 }]))).toBe(
    422,
  );
});
