import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../object.js';
import { finish } from '../../../platform/work.js';
import { matchConditionWork, mutatingPolicyErrors, validatingPolicyErrors } from './expressions.js';
import { validateWebhooks } from './webhooks.js';

const lines = (errors: readonly { readonly field: string; readonly detail: string }[]): string[] =>
  errors.map(({ field, detail }) => `${field}: ${detail}`);
const NAME_FORM = 'name part must consist of alphanumeric characters';

describe('matchConditions that do not compile are refused, in the words of kube-apiserver (row 17)', () => {
  const said = (...expressions: string[]): string[] =>
    lines(
      finish(
        matchConditionWork(
          expressions.map((expression, index) => ({ name: `c${index}`, expression })),
          'm',
        ),
      ),
    );
  it.each<[string, string[]]>([
    [
      '1 +',
      [
        expect.stringMatching(
          /^m\[0\]\.expression: Invalid value: "1 \+": compilation failed: ERROR: <input>:1:4: Syntax error/,
        ) as string,
      ],
    ],
    ['object.x', ['m[0].expression: Invalid value: "object.x": must evaluate to bool but got dyn']],
    ['1', ['m[0].expression: Invalid value: "1": must evaluate to bool but got int']],
    [
      'request.nosuch == 1',
      [
        'm[0].expression: Invalid value: "request.nosuch == 1": compilation failed: ERROR: <input>:1:8: undefined field \'nosuch\'\n | request.nosuch == 1\n | .......^',
      ],
    ],
    ['params.x == 1', [expect.stringContaining("undeclared reference to 'params' (in container '')") as string]],
    ['variables.x == 1', [expect.stringContaining("undeclared reference to 'variables' (in container '')") as string]],
    ['self == 1', [expect.stringContaining("undeclared reference to 'self' (in container '')") as string]],
    ['authorizer.group("").resource("pods").namespace("x").check("get").allowed()', []],
    ['authorizer.requestResource.check("custom").allowed() && authorizer.path("/x").check("get").reason() == ""', []],
    [
      'request.userInfo.username == "a" && request.kind.kind == "b" && namespaceObject.metadata.name == "x" && oldObject == null && request.dryRun',
      [],
    ],
    [
      'object.spec.containers.all(c, c.image.startsWith("a")) && "a" in request.userInfo.groups && request.operation != "DELETE"',
      [],
    ],
  ])('%s', (expression, expected) => {
    expect(said(expression)).toEqual(expected);
  });

  it('names are there, have a form, and are there once', () => {
    expect(
      lines(
        finish(
          matchConditionWork(
            [
              { name: 'a', expression: 'true' },
              { name: 'a', expression: 'true' },
              {},
              { name: 'a b', expression: 'true' },
            ],
            'm',
          ),
        ),
      ),
    ).toEqual([
      'm[1].name: Duplicate value: "a"',
      'm[2].expression: Required value',
      'm[2].name: Required value',
      expect.stringContaining(`m[3].name: Invalid value: "a b": ${NAME_FORM}`),
    ]);
    expect(
      lines(
        finish(
          matchConditionWork(
            Array.from({ length: 65 }, (_, index) => ({ name: `c${index}`, expression: 'true' })),
            'm',
          ),
        ),
      ),
    ).toEqual(['m: Too many: 65: must have at most 64 items']);
  });

  it('conditions of a webhook that were there before are let be', () => {
    const webhook = {
      name: 'a.b.c',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      clientConfig: { url: 'https://a' },
      matchConditions: [{ name: 'a', expression: 'nosuch()' }],
    };
    const [object, context] = [{ webhooks: [webhook] }, { user: { name: 'a', groups: [] }, now_ms: 0, uuid: () => '' }];
    expect(finish(validateWebhooks(object, context))).toHaveLength(1);
    expect(finish(validateWebhooks(object, { ...context, old: object as KubeObject }))).toEqual([]);
  });
});

describe('admission policies that do not compile are refused (row 17)', () => {
  const policy = (spec: Record<string, unknown>) => ({ metadata: { name: 'p' }, spec });
  const said = (spec: Record<string, unknown>): string[] =>
    lines(finish(validatingPolicyErrors(policy(spec), undefined)));
  const good = [{ expression: 'true' }];

  it.each<[string, Record<string, unknown>, string[]]>([
    [
      'nothing to check',
      {},
      [
        'spec.validations: Required value: validations or auditAnnotations must contain at least one item',
        'spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item',
      ],
    ],
    [
      'no bool',
      { validations: [{ expression: '1' }] },
      ['spec.validations[0].expression: Invalid value: "1": must evaluate to bool but got int'],
    ],
    [
      'parameters without a kind',
      { validations: [{ expression: 'params.x == 1' }] },
      [expect.stringContaining("undeclared reference to 'params'") as string],
    ],
    [
      'parameters of a kind',
      { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' }, validations: [{ expression: 'params.x == 1' }] },
      [],
    ],
    [
      'a message that is no text',
      { validations: [{ expression: 'true', messageExpression: 'object.x' }] },
      ['spec.validations[0].messageExpression: Invalid value: "object.x": must evaluate to string but got dyn'],
    ],
    [
      'texts',
      {
        validations: [{ expression: 'true', message: ' ' }, { expression: '' }, { expression: 'true', reason: 'Foo' }],
      },
      [
        'spec.validations[0].message: Invalid value: " ": must be non-empty if specified',
        'spec.validations[1].expression: Required value: expression is not specified',
        'spec.validations[2].reason: Unsupported value: "Foo": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
      ],
    ],
    [
      'variables of variables',
      {
        variables: [
          { name: 'x', expression: '1' },
          { name: 'w', expression: 'variables.x + 1' },
        ],
        validations: [{ expression: 'variables.w == 2' }],
      },
      [],
    ],
    [
      'variables that are not there yet',
      {
        variables: [
          { name: 'x', expression: 'variables.w' },
          { name: 'w', expression: '1' },
        ],
        validations: good,
      },
      [expect.stringContaining("undefined field 'w'") as string],
    ],
    [
      'variables of another type',
      { variables: [{ name: 'x', expression: '1' }], validations: [{ expression: 'variables.x == "a"' }] },
      [expect.stringContaining("'(int, string)'") as string],
    ],
    [
      'a name that is no identifier',
      { variables: [{ name: 'z-z', expression: '1' }], validations: good },
      ['spec.variables[0].name: Invalid value: "z-z": must be a valid CEL identifier'],
    ],
    [
      'annotations',
      {
        auditAnnotations: [
          { key: 'a', valueExpression: '1' },
          { key: 'b c', valueExpression: 'null' },
          { key: 'a', valueExpression: '"x"' },
        ],
      },
      [
        'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null_type] but got int',
        expect.stringContaining(`spec.auditAnnotations[1].key: Invalid value: "p/b c": ${NAME_FORM}`) as string,
        'spec.auditAnnotations[2].key: Duplicate value: "a"',
      ],
    ],
  ])('%s', (_what, spec, expected) => {
    expect(said(spec)).toEqual(expected);
  });

  it('what was accepted before is let be', () => {
    const old = policy({ validations: [{ expression: 'nosuch()' }] });
    expect(finish(validatingPolicyErrors(old, old))).toEqual([]);
    expect(finish(validatingPolicyErrors(old, undefined))).toHaveLength(1);
  });

  it('of mutating ones the conditions and variables', () => {
    expect(
      lines(
        finish(
          mutatingPolicyErrors(
            policy({
              variables: [{ name: 'x', expression: 'nosuch' }],
              matchConditions: [{ name: 'a', expression: '2' }],
              mutations: [
                { patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "remove", path: "/a"}]' } },
              ],
            }),
            undefined,
          ),
        ),
      ),
    ).toEqual([
      'spec.matchConditions[0].expression: Invalid value: "2": must evaluate to bool but got int',
      expect.stringContaining("undeclared reference to 'nosuch'"),
    ]);
  });
});
