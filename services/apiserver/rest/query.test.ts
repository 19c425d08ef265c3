/** Options that contradict themselves: codes, causes and words were put to kube-apiserver. */
import { describe, expect, it } from 'vitest';
import { isApiError } from '../../../apimachinery/status.js';
import { logOptions } from './pod-log.js';
import { deleteOptions, listOptions, writeOptions } from './query.js';

function refusal(run: () => unknown): readonly [number, string] {
  try {
    run();
    return [200, ''];
  } catch (error) {
    if (isApiError(error)) return [error.code, error.message];
    throw error;
  }
}

const LIST = 'ListOptions.meta.k8s.io "" is invalid: ';
const DELETE = 'DeleteOptions.meta.k8s.io "" is invalid: ';

describe('options of a list or watch', () => {
  it.each<[string, number, string]>([
    ['resourceVersion=1&resourceVersionMatch=Exact', 200, ''],
    ['watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan', 200, ''],
    ['limit=-1', 200, ''],
    [
      'resourceVersionMatch=Exact',
      422,
      `${LIST}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided`,
    ],
    [
      'resourceVersionMatch=foo&resourceVersion=1',
      422,
      `${LIST}resourceVersionMatch: Unsupported value: "foo": supported values: "Exact", "NotOlderThan", ""`,
    ],
    [
      'resourceVersionMatch=Exact&resourceVersion=0',
      422,
      `${LIST}resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"`,
    ],
    [
      'resourceVersionMatch=Exact&resourceVersion=1&continue=x',
      422,
      `${LIST}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided`,
    ],
    ['sendInitialEvents=false', 422, `${LIST}sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list`],
    [
      'watch=1&sendInitialEvents=true',
      422,
      `${LIST}resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`,
    ],
    [
      'watch=1&resourceVersionMatch=NotOlderThan',
      422,
      `${LIST}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided`,
    ],
    ['limit=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
  ])('%s: %i', (query, code, message) =>
    expect(refusal(() => listOptions(new URLSearchParams(query)))).toEqual([code, message]),
  );
});

describe('options of a log (ValidatePodLogOptions)', () => {
  const LOG = 'PodLogOptions "p" is invalid: ';

  it.each<[string, number, string]>([
    ['tailLines=0&limitBytes=1&sinceSeconds=1', 200, ''],
    ['limitBytes=9223372036854775807', 200, ''],
    ['stream=Stderr', 200, ''],
    ['tailLines=-1', 422, `${LOG}tailLines: Invalid value: -1: must be greater than or equal to 0`],
    ['limitBytes=0', 422, `${LOG}limitBytes: Invalid value: 0: must be greater than 0`],
    ['limitBytes=-1', 422, `${LOG}limitBytes: Invalid value: -1: must be greater than 0`],
    ['sinceSeconds=0', 422, `${LOG}sinceSeconds: Invalid value: 0: must be greater than 0`],
    [
      'sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z',
      422,
      `${LOG}[]: Forbidden: at most one of \`sinceTime\` or \`sinceSeconds\` may be specified`,
    ],
    [
      'tailLines=-1&limitBytes=0',
      422,
      `${LOG}[tailLines: Invalid value: -1: must be greater than or equal to 0, limitBytes: Invalid value: 0: must be greater than 0]`,
    ],
    ['stream=x', 422, `${LOG}stream: Unsupported value: "x": supported values: "All", "Stderr", "Stdout"`],
    [
      'stream=Stdout&tailLines=1',
      422,
      `${LOG}[]: Forbidden: \`tailLines\` and specific \`stream\` are mutually exclusive for now`,
    ],
    ['tailLines=9223372036854775808', 400, 'strconv.ParseInt: parsing "9223372036854775808": value out of range'],
    ['tailLines=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
  ])('%s: %i', (query, code, message) =>
    expect(refusal(() => logOptions(new URLSearchParams(query), 'p'))).toEqual([code, message]),
  );
});

describe('options of a write', () => {
  it.each<[string, string]>([
    [`fieldManager=${'x'.repeat(129)}`, 'fieldManager: Too long: may not be more than 128 bytes'],
    ['fieldManager=a%0Ab', 'fieldManager: Invalid value: "a\\nb": invalid character U+000A (at position 1)'],
    ['dryRun=x', 'dryRun: Unsupported value: ["x"]: supported values: "All"'],
    ['fieldValidation=x', 'fieldValidation: Unsupported value: "x": supported values: "", "Ignore", "Strict", "Warn"'],
  ])('%s', (query, why) => {
    expect(refusal(() => writeOptions(new URLSearchParams(query), 'agent', 'UpdateOptions'))).toEqual([
      422,
      `UpdateOptions.meta.k8s.io "" is invalid: ${why}`,
    ]);
  });
});

describe('options of a delete', () => {
  it.each<[string, unknown, number, string]>([
    ['', { propagationPolicy: 'Orphan' }, 200, ''],
    [
      'propagationPolicy=x',
      undefined,
      422,
      `${DELETE}propagationPolicy: Unsupported value: "x": supported values: "Foreground", "Background", "Orphan", "nil"`,
    ],
    [
      '',
      { propagationPolicy: 'Orphan', orphanDependents: true },
      422,
      `${DELETE}propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set`,
    ],
    ['dryRun=x', undefined, 422, `${DELETE}dryRun: Unsupported value: ["x"]: supported values: "All"`],
    [
      '',
      { gracePeriodSeconds: 'x' },
      400,
      'json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64',
    ],
    ['', { kind: 'Foo', apiVersion: 'v1' }, 400, 'no kind "Foo" is registered for DeleteOptions'],
  ])('%s %j: %i', (query, body, code, message) =>
    expect(refusal(() => deleteOptions(new URLSearchParams(query), body))).toEqual([code, message]),
  );
});
