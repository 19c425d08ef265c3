/**
 * What bindings grant, by subject. A binding may name ten thousand subjects: when one changes, the others are not
 * looked at again.
 */
import type { RoleBinding } from './bootstrap-policy.js';
import type { PolicyRule, Subject } from './policy-rule.js';

/** One binding and the rules of the role that it names. */
export interface Granted {
  readonly binding: RoleBinding;
  /** '' for the whole cluster. */
  readonly namespace: string;
  readonly rules: readonly PolicyRule[];
}

/** The rules of each role that is granted, once however many bindings name it; by namespace, how many do. */
type Grants = Map<readonly PolicyRule[], Map<string, number>>;

export class GrantIndex {
  readonly #bySubject = new Map<string, Grants>();
  readonly #known = new Map<string, Granted>();

  /** All bindings as they are now. Those that are the same objects as before, with the same rules, cost a look-up. */
  refresh(all: Iterable<Granted>): void {
    const gone = new Set(this.#known.keys());
    for (const granted of all) {
      const id = `${granted.namespace}/${granted.binding.metadata?.name ?? ''}`;
      gone.delete(id);
      const known = this.#known.get(id);
      if (known?.binding === granted.binding && known.rules === granted.rules) continue;
      if (known !== undefined) this.#count(known, -1);
      this.#known.set(id, granted);
      this.#count(granted, 1);
    }
    for (const id of gone) {
      const known = this.#known.get(id);
      if (known !== undefined) this.#count(known, -1);
      this.#known.delete(id);
    }
  }

  /** Of each role, once; those in the namespace and in the whole cluster. `subject` as `u:<user>` or `g:<group>`. */
  *rulesOf(subject: string, namespace: string): Iterable<readonly PolicyRule[]> {
    for (const [rules, namespaces] of this.#bySubject.get(subject) ?? [])
      if (namespaces.has('') || namespaces.has(namespace)) yield rules;
  }

  #count({ binding, namespace, rules }: Granted, change: 1 | -1): void {
    if (rules.length === 0) return;
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, namespace);
      if (key !== undefined) this.#countOne(key, { rules, namespace, change });
    }
  }

  #countOne(
    key: string,
    {
      rules,
      namespace,
      change,
    }: { readonly rules: readonly PolicyRule[]; readonly namespace: string; readonly change: 1 | -1 },
  ): void {
    const grants: Grants = this.#bySubject.get(key) ?? new Map<readonly PolicyRule[], Map<string, number>>();
    const namespaces = grants.get(rules) ?? new Map<string, number>();
    const count = (namespaces.get(namespace) ?? 0) + change;
    if (count > 0) namespaces.set(namespace, count);
    else namespaces.delete(namespace);
    if (namespaces.size > 0) grants.set(rules, namespaces);
    else grants.delete(rules);
    if (grants.size > 0) this.#bySubject.set(key, grants);
    else this.#bySubject.delete(key);
  }
}

function subjectKey(subject: Subject, bindingNamespace: string): string | undefined {
  switch (subject.kind) {
    case 'User':
      return `u:${subject.name}`;
    case 'Group':
      return `g:${subject.name}`;
    case 'ServiceAccount': {
      const namespace = subject.namespace ?? bindingNamespace;
      return namespace === '' ? undefined : `u:system:serviceaccount:${namespace}:${subject.name}`;
    }
    default:
      return undefined;
  }
}
