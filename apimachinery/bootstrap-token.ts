/**
 * Bootstrap tokens: `<id>.<secret>`, kept as Secrets of type bootstrap.kubernetes.io/token in `kube-system`, as kubeadm
 * and kube-apiserver know them. Besides upstream's keys a Secret may say how many workers may still join with it.
 */
import type { Secret } from './gen/types.js';

export const BOOTSTRAP_TOKEN_TYPE = 'bootstrap.kubernetes.io/token';
export const BOOTSTRAP_TOKEN_NAMESPACE = 'kube-system';
/** kubeadm's group for hosts that become nodes: a token without it authenticates, and joins nobody. */
export const NODE_JOINERS_GROUP = 'system:bootstrappers:kubeadm:default-node-token';
const BOOTSTRAPPERS = 'system:bootstrappers';
const NAME_PREFIX = 'bootstrap-token-';
const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const ID = /^[a-z0-9]{6}$/;
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
const EXPIRATION = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

export interface TokenText {
  readonly id: string;
  readonly secret: string;
}

export interface BootstrapToken extends TokenText {
  readonly description: string;
  /** `authentication`, `signing`. */
  readonly usages: readonly string[];
  readonly extraGroups: readonly string[];
  /** Undefined: never. */
  readonly expires_ms: number | undefined;
  /** Workers that may still join with it; undefined: any number. */
  readonly uses: number | undefined;
}

export function parseTokenText(text: string): TokenText | undefined {
  const [, id, secret] = TOKEN.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

export const isTokenId = (text: string): boolean => ID.test(text);
export const isBootstrapGroup = (text: string): boolean => GROUP.test(text);
export const tokenSecretName = (id: string): string => `${NAME_PREFIX}${id}`;
/** The user that somebody with the token is. */
export const bootstrapUser = (token: BootstrapToken) => ({
  name: `system:bootstrap:${token.id}`,
  groups: [BOOTSTRAPPERS, ...token.extraGroups],
});

const USAGE_PREFIX = 'usage-bootstrap-';
export const TOKEN_USAGES: readonly string[] = ['signing', 'authentication'];
const USES = 'navarch-uses';

/** Undefined when the Secret is not a token, or one of its keys cannot be read: such a token is good for nothing. */
export function readTokenSecret(secret: Secret): BootstrapToken | undefined {
  if (secret.type !== BOOTSTRAP_TOKEN_TYPE) return undefined;
  const text = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  const token = parseTokenText(`${text('token-id')}.${text('token-secret')}`);
  if (token === undefined || secret.metadata?.name !== tokenSecretName(token.id)) return undefined;
  const [expiration, groups, uses] = [text('expiration'), text('auth-extra-groups'), text(USES)];
  const extraGroups = groups === '' ? [] : [...new Set(groups.split(','))].toSorted();
  const expires_ms = expiration === '' ? undefined : expirationOf(expiration);
  if (!extraGroups.every(isBootstrapGroup) || (uses !== '' && !/^\d{1,9}$/.test(uses))) return undefined;
  return {
    ...token,
    description: text('description'),
    usages: TOKEN_USAGES.filter((usage) => text(`${USAGE_PREFIX}${usage}`) === 'true'),
    extraGroups,
    expires_ms,
    uses: uses === '' ? undefined : Number(uses),
  };
}

/** An expiration that cannot be read has passed. */
function expirationOf(text: string): number {
  const parsed_ms = EXPIRATION.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(parsed_ms) ? 0 : parsed_ms;
}

/** When the token ends, of a Secret that may be broken otherwise. Undefined: it is not a token, or has no end. */
export function tokenExpiration(secret: Secret): number | undefined {
  const encoded = secret.data?.['expiration'];
  if (secret.type !== BOOTSTRAP_TOKEN_TYPE || encoded === undefined || encoded === '') return undefined;
  return expirationOf(Buffer.from(encoded, 'base64').toString('utf8'));
}

export function tokenSecret(token: BootstrapToken): Secret {
  const expiration =
    token.expires_ms === undefined ? undefined : `${new Date(token.expires_ms).toISOString().slice(0, 19)}Z`;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: BOOTSTRAP_TOKEN_TYPE,
    metadata: { name: tokenSecretName(token.id), namespace: BOOTSTRAP_TOKEN_NAMESPACE },
    data: encoded({
      'token-id': token.id,
      'token-secret': token.secret,
      ...Object.fromEntries(token.usages.map((usage) => [`${USAGE_PREFIX}${usage}`, 'true'])),
      ...(token.description === '' ? {} : { description: token.description }),
      ...(expiration === undefined ? {} : { expiration }),
      ...(token.extraGroups.length === 0 ? {} : { 'auth-extra-groups': token.extraGroups.join(',') }),
      ...(token.uses === undefined ? {} : { [USES]: String(token.uses) }),
    }),
  };
}

/** The same Secret, good for one worker less. */
export function spendUse(secret: Secret, uses: number): Secret {
  return { ...secret, data: { ...secret.data, ...encoded({ [USES]: String(uses - 1) }) } };
}

const encoded = (values: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));

export const hasExpired = (token: Pick<BootstrapToken, 'expires_ms'>, now_ms: number): boolean =>
  token.expires_ms !== undefined && now_ms >= token.expires_ms;
