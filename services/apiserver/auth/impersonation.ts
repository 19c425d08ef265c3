/**
 * Who may act as somebody else (KEP-5284). Constrained modes ask twice: may the caller send this request in that mode
 * (`impersonate-on:<mode>:<verb>`), and may it be that user (`impersonate:<mode>`). The older verb `impersonate` is
 * good for every request. The first mode that allows decides; the refusal is that of the first mode that was asked.
 */
import type { UserInfo } from '../../../apimachinery/object-service.js';
import { ApiError } from '../../../apimachinery/status.js';
import type { AskedAttributes, AuthorizationAttributes, Authorizer } from '../ports.js';
import { forbidden } from './forbidden.js';
import { accountOf, nodeOf, rightsToBe } from './impersonation-rights.js';
import type { Change } from './impersonation-rights.js';

const NODE_NAME = 'authentication.kubernetes.io/node-name';
/** Callers whose last mode is remembered. */
const REMEMBERED_MAX = 10_000;

interface Attempt {
  readonly caller: UserInfo;
  readonly wanted: UserInfo;
  /** Undefined: what is asked for is not known, and no constrained mode applies. */
  readonly asked: AskedAttributes | undefined;
}

interface Mode {
  readonly name: 'associated-node' | 'arbitrary-node' | 'serviceaccount' | 'user-info' | 'legacy';
  readonly applies: (wanted: UserInfo, caller: UserInfo) => boolean;
}

const MODES: readonly Mode[] = [
  {
    name: 'associated-node',
    applies: (wanted, caller) => hasOnlyName(wanted) && isBoundTo(caller, nodeOf(wanted.name)),
  },
  { name: 'arbitrary-node', applies: (wanted) => hasOnlyName(wanted) && nodeOf(wanted.name) !== undefined },
  { name: 'serviceaccount', applies: (wanted) => hasOnlyName(wanted) && accountOf(wanted.name) !== undefined },
  { name: 'user-info', applies: (wanted) => nodeOf(wanted.name) === undefined && accountOf(wanted.name) === undefined },
  { name: 'legacy', applies: () => true },
];

export class Impersonation {
  readonly #authorizer: Authorizer;
  /** The mode that last allowed a caller something is tried first: the older verb costs what it always did. */
  readonly #last = new Map<string, Mode>();

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  /** The user with all groups. Throws Forbidden. */
  async become(attempt: Attempt): Promise<UserInfo> {
    const { caller, wanted, asked } = attempt;
    const last = this.#last.get(caller.name);
    const inTurn = last === undefined ? MODES : [last, ...MODES.filter((mode) => mode !== last)];
    let refusal: ApiError | undefined;
    for (const mode of inTurn) {
      if (!mode.applies(wanted, caller) || (mode.name !== 'legacy' && asked === undefined)) continue;
      try {
        const user = await this.#try(mode.name, attempt);
        this.#remember(caller.name, mode);
        return user;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        refusal ??= error;
      }
    }
    throw refusal ?? new Error('impersonation: the mode that always applies was not tried');
  }

  #remember(caller: string, mode: Mode): void {
    if (this.#last.size >= REMEMBERED_MAX) this.#last.clear();
    this.#last.set(caller, mode);
  }

  async #try(mode: Mode['name'], { caller, wanted, asked }: Attempt): Promise<UserInfo> {
    if (mode === 'legacy' || asked === undefined) {
      await this.#mayBe({ caller, wanted, verb: 'impersonate' });
      return withGroups(wanted, accountGroups(wanted));
    }
    const user = mode === 'associated-node' ? onAnyNode(caller) : caller;
    await this.#ask({ ...asked, user, verb: `impersonate-on:${mode}:${asked.verb}` });
    await this.#mayBe({ caller: user, wanted, verb: `impersonate:${mode}` });
    return withGroups(wanted, nodeOf(wanted.name) === undefined ? accountGroups(wanted) : ['system:nodes']);
  }

  async #mayBe(change: Change): Promise<void> {
    for (const { each, instead } of rightsToBe(change)) {
      if (instead !== undefined && (await this.#authorizer.authorize(instead)).allowed) continue;
      for (const attributes of each) await this.#ask(attributes);
    }
  }

  async #ask(attributes: AuthorizationAttributes): Promise<void> {
    const decision = await this.#authorizer.authorize(attributes);
    if (!decision.allowed) throw forbidden(attributes, decision.reason);
  }
}

const hasOnlyName = ({ uid, groups, extra }: UserInfo): boolean =>
  uid === undefined && groups.length === 0 && extra === undefined;

function isBoundTo({ name, extra }: UserInfo, node: string | undefined): boolean {
  const names = extra?.[NODE_NAME] ?? [];
  return node !== undefined && accountOf(name) !== undefined && names.length === 1 && names[0] === node;
}

/** The same for an account on every node: the rights of an agent are granted once. */
const onAnyNode = (caller: UserInfo): UserInfo => ({
  ...caller,
  extra: { 'authentication.kubernetes.io/associated-node-keys': Object.keys(caller.extra ?? {}).sort() },
});

/** Of a service account, unless groups were asked for. */
function accountGroups({ name, groups }: UserInfo): readonly string[] {
  const account = accountOf(name);
  return account === undefined || groups.length > 0
    ? groups
    : ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`];
}

function withGroups(user: UserInfo, groups: readonly string[]): UserInfo {
  const last =
    user.name === 'system:anonymous' || groups.includes('system:unauthenticated')
      ? 'system:unauthenticated'
      : 'system:authenticated';
  return { ...user, groups: groups.includes(last) ? groups : [...groups, last] };
}
