/**
 * Who asks: a client certificate of the cluster's authority, a bearer token, or nobody (system:anonymous). In this order; a
 * credential that is shown and wrong is refused, never passed over as anonymous. Impersonation comes last, and is itself
 * authorized (k8s.io/apiserver, "Authentication").
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { ResourceId } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import { certificateIdentity } from '../../../platform/pki/x509.js';
import type { AuthenticationRequest, Authenticator, Authorizer, ObjectReader, PeerCertificate } from '../ports.js';
import { bootstrapUserOf } from './bootstrap-tokens.js';
import { protocolToken } from './protocol-token.js';
import type { ObjectRef, ServiceAccountTokens, VerifiedToken } from './service-account-tokens.js';

const AUTHENTICATED = 'system:authenticated';
/** Which certificate or token was shown (KEP-4193). */
const CREDENTIAL_ID = 'authentication.kubernetes.io/credential-id';
export const ANONYMOUS: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

const core = (resource: string): ResourceId => ({ group: '', version: 'v1', resource });
const SERVICE_ACCOUNTS = core('serviceaccounts');
const PODS = core('pods');
const NODES = core('nodes');
const SECRETS = core('secrets');

/** A token stays good for this long after the pod it is bound to was asked to go (KEP-1205). */
const DELETED_POD_GRACE_MS = 60_000;
/** What was found out about a token is believed for this long. */
const TOKEN_CACHE_MS = 10_000;
const TOKEN_CACHE_SIZE_MAX = 4096;

export interface AuthenticatorOptions {
  readonly reader: ObjectReader;
  readonly authorizer: Authorizer;
  readonly tokens: ServiceAccountTokens;
  /** Audiences that tokens for this API server carry. */
  readonly audiences: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

interface CachedToken {
  readonly user: UserInfo;
  readonly until_ms: number;
}

export class ClusterAuthenticator implements Authenticator {
  readonly #options: AuthenticatorOptions;
  /** Parsed once for each connection; whether it is still valid is asked on each request. */
  readonly #certificates = new WeakMap<PeerCertificate, { readonly user: UserInfo; readonly until_ms: number }>();
  readonly #tokens = new Map<string, CachedToken>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  async authenticate(request: AuthenticationRequest): Promise<UserInfo | undefined> {
    const user = await this.#identify(request);
    if (user === undefined || request.headers['impersonate-user'] === undefined) {
      if (user !== undefined && hasImpersonation(request)) throw apiErrors.badRequest(`requested ${goUser(impersonationOf(request))} without impersonating a user name`);
      return user;
    }
    return this.#impersonate(user, request);
  }

  /** TokenReview's question. Undefined: not one of ours, or no longer good. */
  async authenticateToken(token: string, audiences: readonly string[]): Promise<{ user: UserInfo; audiences: readonly string[] } | undefined> {
    const bootstrap = this.#fromBootstrapToken(token);
    if (bootstrap !== undefined) {
      // It names no audience: it is for this server.
      const accepted = audiences.filter((audience) => this.#options.audiences.includes(audience));
      return accepted.length === 0 ? undefined : { user: bootstrap, audiences: accepted };
    }
    try {
      const verified = await this.#options.tokens.verify(token, audiences);
      if (verified === undefined) return undefined;
      return { user: this.#userOf(verified), audiences: verified.audiences };
    } catch (error) {
      this.#options.logger.debug({ reason: (error as Error).message }, 'token refused');
      return undefined;
    }
  }

  async #identify(request: AuthenticationRequest): Promise<UserInfo | undefined> {
    if (request.peerCertificate?.verified === true) return this.#fromCertificate(request.peerCertificate);
    const authorization = request.headers['authorization'];
    if (typeof authorization !== 'string') {
      const shown = authorization === undefined ? protocolToken(request.headers) : 'none';
      if (shown !== 'none') return shown === 'wrong' ? undefined : this.#fromToken(shown.token);
      // A certificate of another authority, or one that has expired: whoever shows it believes to be somebody.
      return authorization === undefined && request.peerCertificate === undefined ? ANONYMOUS : undefined;
    }
    const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
    return token === undefined ? undefined : this.#fromToken(token);
  }

  #fromCertificate(peer: PeerCertificate): UserInfo | undefined {
    let known = this.#certificates.get(peer);
    if (known === undefined) {
      const certificate = new X509Certificate(peer.der);
      const { commonName, organizations } = certificateIdentity(certificate);
      if (commonName === '') return undefined;
      const extra = { [CREDENTIAL_ID]: [`X509SHA256=${createHash('sha256').update(peer.der).digest('hex')}`] };
      known = { user: { name: commonName, groups: [...organizations, AUTHENTICATED], extra }, until_ms: Date.parse(certificate.validTo) };
      this.#certificates.set(peer, known);
    }
    return this.#options.clock.now() < known.until_ms ? known.user : undefined;
  }

  #fromBootstrapToken(token: string): UserInfo | undefined {
    const user = bootstrapUserOf(this.#options.reader, token, this.#options.clock.now());
    return user === undefined ? undefined : { ...user, groups: [...user.groups, AUTHENTICATED] };
  }

  async #fromToken(token: string): Promise<UserInfo | undefined> {
    // Never from memory: one that was revoked is refused at once.
    const bootstrap = this.#fromBootstrapToken(token);
    if (bootstrap !== undefined) return bootstrap;
    const now_ms = this.#options.clock.now();
    const cached = this.#tokens.get(token);
    if (cached !== undefined && now_ms < cached.until_ms) return cached.user;
    this.#tokens.delete(token);
    const found = await this.authenticateToken(token, this.#options.audiences);
    if (found === undefined) return undefined;
    if (this.#tokens.size >= TOKEN_CACHE_SIZE_MAX) this.#tokens.clear();
    this.#tokens.set(token, { user: found.user, until_ms: now_ms + TOKEN_CACHE_MS });
    return found.user;
  }

  /** Throws when the account, or what the token is bound to, is not there any more. */
  #userOf(token: VerifiedToken): UserInfo {
    const { namespace, serviceAccount } = token;
    this.#mustExist(SERVICE_ACCOUNTS, namespace, serviceAccount);
    if (token.pod !== undefined) this.#mustExist(PODS, namespace, token.pod);
    if (token.secret !== undefined) this.#mustExist(SECRETS, namespace, token.secret);
    if (token.node !== undefined && token.pod === undefined) this.#mustExist(NODES, undefined, token.node);
    const extra: Record<string, string[]> = { [CREDENTIAL_ID]: [`JTI=${token.id}`] };
    if (token.pod !== undefined) {
      extra['authentication.kubernetes.io/pod-name'] = [token.pod.name];
      extra['authentication.kubernetes.io/pod-uid'] = [token.pod.uid];
    }
    if (token.node !== undefined) {
      extra['authentication.kubernetes.io/node-name'] = [token.node.name];
      extra['authentication.kubernetes.io/node-uid'] = [token.node.uid];
    }
    return {
      name: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
      uid: serviceAccount.uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, AUTHENTICATED],
      extra,
    };
  }

  #mustExist(resource: ResourceId, namespace: string | undefined, ref: ObjectRef): void {
    const object = this.#options.reader.get(resource, { ...(namespace === undefined ? {} : { namespace }), name: ref.name });
    if (object?.metadata?.uid !== ref.uid) throw new Error(`service account token: ${resource.resource} ${ref.name} is gone`);
    const deletion = object.metadata.deletionTimestamp;
    if (deletion !== undefined && this.#options.clock.now() > Date.parse(deletion) + DELETED_POD_GRACE_MS) {
      throw new Error(`service account token: ${resource.resource} ${ref.name} is being deleted`);
    }
  }

  async #impersonate(user: UserInfo, request: AuthenticationRequest): Promise<UserInfo> {
    const wanted = impersonationOf(request);
    const ask = async (group: string, resource: string, name: string, more: { namespace?: string; subresource?: string } = {}) => {
      const decision = await this.#options.authorizer.authorize({
        kind: 'resource', user, verb: 'impersonate', group, version: 'v1', resource, name, ...more,
      });
      if (!decision.allowed) {
        throw apiErrors.forbidden({ group, resource }, name, `User "${user.name}" cannot impersonate resource "${resource}" in API group "${group}" at the cluster scope`);
      }
    };
    const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(wanted.name);
    if (account !== null) await ask('', 'serviceaccounts', account[2] ?? '', { namespace: account[1] ?? '' });
    else await ask('', 'users', wanted.name);
    for (const group of wanted.groups) await ask('', 'groups', group);
    if (wanted.uid !== undefined) await ask('authentication.k8s.io', 'uids', wanted.uid);
    for (const [key, values] of Object.entries(wanted.extra ?? {})) {
      for (const value of values) await ask('authentication.k8s.io', 'userextras', value, { subresource: key });
    }
    const implied = account === null ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1] ?? ''}`];
    const base = wanted.groups.length > 0 ? wanted.groups : implied;
    const last = wanted.name === ANONYMOUS.name ? 'system:unauthenticated' : AUTHENTICATED;
    return { ...wanted, groups: base.includes(last) ? base : [...base, last] };
  }
}

const EXTRA_PREFIX = 'impersonate-extra-';

/** What was asked for beside the name, as Go prints it: clients see it. */
function goUser({ groups, uid = '', extra }: UserInfo): string {
  const list = (values: readonly string[]): string => (values.length === 0 ? '[]string(nil)' : `[]string{${values.map((value) => JSON.stringify(value)).join(', ')}}`);
  const map = extra === undefined ? 'map[string][]string(nil)'
    : `map[string][]string{${Object.entries(extra).map(([key, values]) => `${JSON.stringify(key)}:${list(values).replace('[]string', '')}`).join(', ')}}`;
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid)}, Groups:${list(groups)}, Extra:${map}}`;
}

function hasImpersonation(request: AuthenticationRequest): boolean {
  return Object.keys(request.headers).some((name) => name.startsWith('impersonate-'));
}

function valuesOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
}

function impersonationOf(request: AuthenticationRequest): UserInfo {
  const { headers } = request;
  const first = (name: string) => [headers[name]].flat()[0];
  const extra: Record<string, readonly string[]> = Object.create(null) as Record<string, readonly string[]>;
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(EXTRA_PREFIX) || value === undefined) continue;
    let key = name.slice(EXTRA_PREFIX.length);
    try {
      key = decodeURIComponent(key);
    } catch {
      throw apiErrors.badRequest(`the header ${name} is not percent-encoded properly`);
    }
    extra[key] = valuesOf(value);
  }
  const uid = first('impersonate-uid');
  return {
    name: first('impersonate-user') ?? '',
    groups: valuesOf(headers['impersonate-group']),
    ...(uid === undefined ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}
