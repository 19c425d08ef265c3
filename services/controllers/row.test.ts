import { describe, expect, it } from 'vitest';
import { bootstrapClusterRoleBindings, bootstrapRoleBindings } from '../apiserver/auth/bootstrap-policy.js';
import { chosenControllers, CONTROLLERS } from './index.js';

const rows = CONTROLLERS.slice(0, 3);
const [a = '', b = '', c = ''] = rows.map(({ name }) => name);

describe('--controllers', () => {
  it.each<[string, string[]]>([
    ['*', [a, b, c]],
    [b, [b]],
    [`*,-${a}`, [b, c]],
    [`-${a},*`, [b, c]],
    [`-${a}`, []],
    // As kube-controller-manager: whoever is named runs.
    [`*,-${a},${a}`, [a, b, c]],
  ])('%s', (list, names) => expect(chosenControllers(list.split(','), rows).map(({ name }) => name)).toEqual(names));

  it('refuses names that it does not know, and says which there are', () => {
    expect(() => chosenControllers(['*', '-nobody'], rows)).toThrow(
      `"nobody" is not a controller; there are: ${[a, b, c].sort().join(', ')}`,
    );
  });
});

describe('the table', () => {
  it('names every controller once', () =>
    expect(new Set(CONTROLLERS.map(({ name }) => name)).size).toBe(CONTROLLERS.length));

  it('has for every account a role that is bound to it', () => {
    const bound = [...bootstrapClusterRoleBindings(), ...bootstrapRoleBindings()]
      .flatMap(({ subjects = [] }) => subjects)
      .filter(({ kind, namespace }) => kind === 'ServiceAccount' && namespace === 'kube-system')
      .map(({ name }) => name);
    for (const { account } of CONTROLLERS) expect(bound).toContain(account);
  });
});
