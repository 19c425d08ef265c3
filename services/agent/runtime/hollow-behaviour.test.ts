/**
 * Issue 6, client-diffs: "a hollow container takes from annotations or a rule per image its user, run time, exit code
 * and output".
 */
import { describe, expect, it } from 'vitest';
import {
  behaviourOf,
  hollowUser,
  parseHollowRules,
  type Annotations,
  type HollowBehaviour,
} from './hollow-behaviour.js';
import { runHollowCommand } from './hollow-commands.js';
import type { ContainerSpec } from './runtime.js';

type Acting = Parameters<typeof behaviourOf>[0];
const acting = (lifetime: ContainerSpec['lifetime'], more: Partial<Acting> = {}): Acting => ({
  name: 'main',
  image: 'example.test/web:1',
  command: [],
  args: [],
  env: [],
  stdin: false,
  lifetime,
  ...more,
});
const of = (container: Acting, annotations: Annotations = {}, rules = '[]') =>
  behaviourOf(container, 'host', { annotations, rules: parseHollowRules(rules) });
const KEY = 'hollow.navarch.dev';

describe('a hollow container', () => {
  it.each<[string, Acting, Partial<HollowBehaviour>]>([
    ['that serves runs on', acting('service'), { exitAfter_ms: Infinity }],
    [
      'that serves runs on, whatever its command',
      acting('service', { command: ['false'] }),
      { exitAfter_ms: Infinity, exitCode: 0 },
    ],
    ['that initializes ends well, soon', acting('init'), { exitAfter_ms: 50, exitCode: 0 }],
    ['of a Job or a helm test ends well', acting('task'), { exitAfter_ms: 1000, exitCode: 0 }],
    ['with somebody at its input does not end', acting('task', { stdin: true }), { exitAfter_ms: Infinity }],
    ['that sleeps ends when it has slept', acting('task', { command: ['sleep', '3s'] }), { exitAfter_ms: 3000 }],
    [
      'that sleeps in a shell too',
      acting('task', { command: ['sh', '-c'], args: ['sleep 1m'] }),
      { exitAfter_ms: 60_000 },
    ],
    [
      'that sleeps for ever does not end',
      acting('init', { command: ['/bin/sleep'], args: ['infinity'] }),
      { exitAfter_ms: Infinity },
    ],
    ['whose command fails fails', acting('task', { command: ['false'] }), { exitCode: 1 }],
    ['whose command says its code has it', acting('init', { command: ['sh', '-c', 'exit 7'] }), { exitCode: 7 }],
    ['whose command prints prints', acting('task', { command: ['echo', 'hi'] }), { output: 'hi\n', exitCode: 0 }],
    ['whose command it does not know ends well', acting('task', { command: ['pg_dump'] }), { output: '', exitCode: 0 }],
  ])('%s', (_what, container, expected) => {
    expect(of(container)).toMatchObject(expected);
  });

  it('takes the nearest word: container, pod, image, command', () => {
    const rules = '[{image: "*/web:*", exitAfterMs: 10, exitCode: 3, output: from the rule}]';
    const task = acting('task', { command: ['echo', 'from the command'] });
    expect(of(task, {}, rules)).toEqual({ exitAfter_ms: 10, exitCode: 3, output: 'from the rule' });
    const pod = { [`${KEY}/exit-after-ms`]: '20', [`${KEY}/exit-code`]: '4', [`${KEY}/output`]: 'from the pod' };
    expect(of(task, pod, rules)).toEqual({ exitAfter_ms: 20, exitCode: 4, output: 'from the pod' });
    const own = {
      ...pod,
      [`${KEY}/exit-after-ms.main`]: 'never',
      [`${KEY}/exit-code.main`]: '5',
      [`${KEY}/exit-code.other`]: '6',
      [`${KEY}/output.main`]: '',
    };
    expect(of(task, own, rules)).toEqual({ exitAfter_ms: Infinity, exitCode: 5, output: '' });
  });

  it.each(['', 'soon', '-1', 'NaN'])('takes "%s" for no time', (text) => {
    expect(of(acting('task'), { [`${KEY}/exit-after-ms`]: text }).exitAfter_ms).toBe(1000);
  });

  it('a service that is told to end does', () => {
    expect(of(acting('service'), { [`${KEY}/exit-after-ms`]: '0' }).exitAfter_ms).toBe(0);
  });
});

it.each([
  ['example.test/web:1', 65_532],
  ['example.test/root/web:1', 0],
  ['root/web', 0],
  ['example.test/notroot/web:1', 65_532],
  ['db/postgres:16', 999],
])('%s runs as %i', (image, user) => {
  expect(hollowUser(image, parseHollowRules('[{image: "db/*", user: 999}]'))).toBe(user);
});

it.each([
  ['*', 'anything', true],
  ['a*b*c', 'a1b2c', true],
  ['a*b*c', 'acb', false],
  ['aa*aa', 'aaa', false],
  ['x', 'x', true],
  ['x', 'xy', false],
  ['*:1', 'r/w:1', true],
  ['a*', 'ba', false],
])('image %s and %s: %j', (pattern, image, expected) => {
  expect(hollowUser(image, [{ image: pattern, user: 1 }]) === 1).toBe(expected);
});

it.each<[string, string]>([
  ['{}', 'must be a YAML list'],
  ['[1]', 'rule 1 must be a map'],
  ['[{user: 1}]', 'rule 1 must name an image'],
  ['[{image: a}, {image: b, exit: 1}]', 'rule 2 has a field "exit"'],
  ['[{image: a, exitCode: 256}]', 'exitCode of rule 1'],
  ['[{image: a, exitAfterMs: soon}]', 'exitAfterMs of rule 1'],
  ['[{image: a, user: -1}]', 'user of rule 1'],
  ['[{image: a, output: 1}]', 'output of rule 1'],
])('rules %s are refused', (text, message) => {
  expect(() => parseHollowRules(text)).toThrow(message);
});

/** Issue 6 row 24. */
it('a command that it does not know is not run: 126', () => {
  expect(runHollowCommand(['/usr/bin/psql', '-l'], { hostname: 'h', env: [] })).toMatchObject({
    known: false,
    code: 126,
    output: 'this container is hollow: it does not run /usr/bin/psql\n',
  });
});
