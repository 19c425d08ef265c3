/**
 * Who asks: a client certificate of the cluster's authority, a bearer token, or nobody (system:anonymous). In this
 * order; a credential that is shown and wrong is refused, never passed over as anonymous. Impersonation comes last, and
 * is itself authorized (k8s.io/apiserver, "Authentication").
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { ResourceId } from '../../../apimachinery/object.js';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import { certificateIdentity } from '../../../platform/pki/x509.js';
import type { AuthenticationRequest, Authenticator, Authorizer, ObjectReader, PeerCertificate } from '../ports.js';
import { bootstrapUserOf } from './bootstrap-tokens.js';
import { impersonatedUser } from './impersonation-headers.js';
import { Impersonation } from './impersonation.js';
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
  readonly #impersonation: Impersonation;
  /** Parsed once for each connection; whether it is still valid is asked on each request. */
  readonly #certificates = new WeakMap<PeerCertificate, { readonly user: UserInfo; readonly until_ms: number }>();
  readonly #tokens = new Map<string, CachedToken>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#impersonation = new Impersonation(options.authorizer);
  }

  async authenticate(request: AuthenticationRequest): Promise<UserInfo | undefined> {
    const caller = await this.#identify(request);
    if (caller === undefined) return undefined;
    const wanted = impersonatedUser(request.headers);
    return wanted === undefined ? caller : this.#impersonation.become({ caller, wanted, asked: request.asked });
  }

  /** TokenReview's question. Undefined: not one of ours, or no longer good. */
  async authenticateToken(
    token: string,
    audiences: readonly string[],
  ): Promise<{ user: UserInfo; audiences: readonly string[] } | undefined> {
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
      known = {
        user: { name: commonName, groups: [...organizations, AUTHENTICATED], extra },
        until_ms: Date.parse(certificate.validTo),
      };
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
    const object = this.#options.reader.get(resource, {
      ...(namespace === undefined ? {} : { namespace }),
      name: ref.name,
    });
    if (object?.metadata?.uid !== ref.uid)
      throw new Error(`service account token: ${resource.resource} ${ref.name} is gone`);
    const deletion = object.metadata.deletionTimestamp;
    if (deletion !== undefined && this.#options.clock.now() > Date.parse(deletion) + DELETED_POD_GRACE_MS) {
      throw new Error(`service account token: ${resource.resource} ${ref.name} is being deleted`);
    }
  }
}
