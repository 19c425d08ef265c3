/**
 * The questions clients may ask about rights and identities: SubjectAccessReview and its kin, TokenReview,
 * SelfSubjectReview; and the issue of service-account tokens. None of these is stored.
 */
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { KubeObject, ResourceId } from '../../../apimachinery/object.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import { toTime, type Clock } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';
import type {
  AuthorizationAttributes,
  Authorizer,
  Decision,
  ObjectReader,
  ResourceCall,
  ResourceHandler,
} from '../ports.js';
import type { ClusterAuthenticator } from './authenticator.js';
import type { RbacAuthorizer } from './rbac-authorizer.js';
import { selectorErrors, type ReviewSelectors } from './review-selectors.js';
import { refuseReview } from './validate-review.js';
import type { ObjectRef, ServiceAccountTokens } from './service-account-tokens.js';

interface ResourceAttributes extends ReviewSelectors {
  readonly namespace?: string;
  readonly verb?: string;
  readonly group?: string;
  readonly version?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly name?: string;
}

interface AccessReviewSpec {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  readonly uid?: string;
}

interface WithSpec<S> extends KubeObject {
  readonly spec?: S;
}

const specOf = <S>(object: KubeObject): Partial<S> => (object as WithSpec<S>).spec ?? {};

function attributesOf(spec: AccessReviewSpec, user: UserInfo): AuthorizationAttributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  if (path !== undefined) return { kind: 'nonResource', user, verb: path.verb ?? '', path: path.path ?? '' };
  return {
    kind: 'resource',
    user,
    verb: resource?.verb ?? '',
    group: resource?.group ?? '',
    version: resource?.version ?? '*',
    resource: resource?.resource ?? '',
    ...(resource?.subresource === undefined ? {} : { subresource: resource.subresource }),
    ...(resource?.namespace === undefined ? {} : { namespace: resource.namespace }),
    ...(resource?.name === undefined ? {} : { name: resource.name }),
  };
}

function reviewStatus(decision: Decision, { resourceAttributes }: AccessReviewSpec): object {
  const evaluationError = selectorErrors(resourceAttributes).join('; ');
  return {
    allowed: decision.allowed,
    ...(decision.reason === '' ? {} : { reason: decision.reason }),
    ...(evaluationError === '' ? {} : { evaluationError }),
  };
}

function subjectOf(spec: AccessReviewSpec): UserInfo {
  return {
    name: spec.user ?? '',
    groups: spec.groups ?? [],
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    ...(spec.extra === undefined ? {} : { extra: spec.extra }),
  };
}

export function subjectAccessReview(authorizer: Authorizer): ResourceHandler {
  return {
    judgesBody: true,
    async create(_call, object) {
      refuseReview(object, 'SubjectAccessReview');
      const spec = specOf<AccessReviewSpec>(object);
      const decision = await authorizer.authorize(attributesOf(spec, subjectOf(spec)));
      return { ...object, status: reviewStatus(decision, spec) } as KubeObject;
    },
  };
}

export function localSubjectAccessReview(authorizer: Authorizer): ResourceHandler {
  return {
    judgesBody: true,
    async create(call, object) {
      refuseReview(object, 'LocalSubjectAccessReview', call.namespace);
      const spec = specOf<AccessReviewSpec>(object);
      const decision = await authorizer.authorize(attributesOf(spec, subjectOf(spec)));
      return { ...object, status: reviewStatus(decision, spec) } as KubeObject;
    },
  };
}

export function selfSubjectAccessReview(authorizer: Authorizer): ResourceHandler {
  return {
    judgesBody: true,
    async create(call, object) {
      refuseReview(object, 'SelfSubjectAccessReview');
      const spec = specOf<AccessReviewSpec>(object);
      const decision = await authorizer.authorize(attributesOf(spec, call.user));
      return { ...object, status: reviewStatus(decision, spec) } as KubeObject;
    },
  };
}

export function selfSubjectRulesReview(authorizer: RbacAuthorizer): ResourceHandler {
  return {
    create(call, object) {
      const { namespace } = specOf<{ namespace: string }>(object);
      if ((namespace ?? '') === '') throw apiErrors.badRequest('no namespace on request');
      const rules = authorizer.rulesFor(call.user, namespace ?? '');
      const status = {
        resourceRules: rules
          .filter((rule) => (rule.resources ?? []).length > 0)
          .map((rule) => ({
            verbs: rule.verbs,
            apiGroups: rule.apiGroups ?? [],
            resources: rule.resources ?? [],
            ...(rule.resourceNames === undefined ? {} : { resourceNames: rule.resourceNames }),
          })),
        nonResourceRules: rules
          .filter((rule) => (rule.nonResourceURLs ?? []).length > 0)
          .map((rule) => ({
            verbs: rule.verbs,
            nonResourceURLs: rule.nonResourceURLs,
          })),
        incomplete: false,
      };
      return Promise.resolve({ spec: {}, status } as KubeObject);
    },
  };
}

function userStatus(user: UserInfo): object {
  return {
    username: user.name,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: user.groups,
    ...(user.extra === undefined ? {} : { extra: user.extra }),
  };
}

export function selfSubjectReview(clock: Pick<Clock, 'now'>): ResourceHandler {
  return {
    create: (call) =>
      Promise.resolve({
        metadata: { creationTimestamp: toTime(clock.now()) },
        status: { userInfo: userStatus(call.user) },
      } as KubeObject),
  };
}

export function tokenReview(authenticator: ClusterAuthenticator, audiences: readonly string[]): ResourceHandler {
  return {
    judgesBody: true,
    async create(_call, object) {
      const spec = specOf<{ token: string; audiences: string[] }>(object);
      if ((spec.token ?? '') === '') throw apiErrors.badRequest('token is required for TokenReview in authentication');
      const wanted = (spec.audiences ?? []).length > 0 ? (spec.audiences ?? []) : audiences;
      const found = await authenticator.authenticateToken(spec.token ?? '', wanted);
      const status =
        found === undefined
          ? { user: {}, error: 'invalid bearer token' }
          : { authenticated: true, user: userStatus(found.user), audiences: found.audiences };
      return { ...object, status } as KubeObject;
    },
  };
}

const core = (resource: string): ResourceId => ({ group: '', version: 'v1', resource });
const BOUND_KINDS: Readonly<
  Record<string, { readonly resource: ResourceId; readonly claim: 'pod' | 'node' | 'secret' }>
> = {
  Pod: { resource: core('pods'), claim: 'pod' },
  Node: { resource: core('nodes'), claim: 'node' },
  Secret: { resource: core('secrets'), claim: 'secret' },
};

const LIFETIME_S_DEFAULT = 3600;
const LIFETIME_S_MIN = 600;
const LIFETIME_S_MAX = 2 ** 32;
/**
 * Longer ones are cut, with a warning (kube-apiserver's --service-account-max-token-expiration): an administrator's
 * certificate lives a year too.
 */
const LIFETIME_S_GRANTED_MAX = 365 * 24 * 3600;

interface TokenRequestSpec {
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly boundObjectRef: {
    readonly kind?: string;
    readonly apiVersion?: string;
    readonly name?: string;
    readonly uid?: string;
  };
}

export interface TokenRequestOptions {
  readonly reader: ObjectReader;
  readonly tokens: ServiceAccountTokens;
  /** Audiences of a token whose request names none. */
  readonly audiences: readonly string[];
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
}

/** serviceaccounts/token (KEP-1205). */
export function tokenRequest(options: TokenRequestOptions): ResourceHandler {
  return {
    async create(call, object) {
      const named = object.metadata?.name ?? '';
      if (named !== '' && named !== call.name) {
        throw apiErrors.invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, call.name ?? '', [
          fieldErrors.invalid('metadata.name', named, 'must match the service account name if specified'),
        ]);
      }
      const spec = specOf<TokenRequestSpec>(object);
      const namespace = call.namespace ?? '';
      const account = await options.reader.getFresh(core('serviceaccounts'), { namespace, name: call.name });
      const uid = account?.metadata?.uid;
      if (uid === undefined) throw apiErrors.notFound({ group: '', resource: 'serviceaccounts' }, call.name);
      const asked_s = lifetimeOf(spec.expirationSeconds);
      const lifetime_s = Math.min(asked_s, LIFETIME_S_GRANTED_MAX);
      if (lifetime_s < asked_s)
        call.warn(`requested expiration of ${asked_s} seconds shortened to ${lifetime_s} seconds`);
      const audiences = (spec.audiences ?? []).length > 0 ? (spec.audiences ?? []) : options.audiences;
      const bound = spec.boundObjectRef === undefined ? {} : await boundTo(options.reader, call, spec.boundObjectRef);
      const subject = { namespace, serviceAccount: { name: call.name, uid }, ...bound };
      const signed = await options.tokens.sign(subject, audiences, lifetime_s);
      return {
        ...object,
        metadata: {
          ...object.metadata,
          name: call.name,
          namespace,
          uid: options.random.uuid(),
          creationTimestamp: toTime(options.clock.now()),
        },
        spec: { ...spec, audiences, expirationSeconds: lifetime_s },
        status: { token: signed.token, expirationTimestamp: toTime(signed.expires_ms) },
      } as KubeObject;
    },
  };
}

function lifetimeOf(asked: number | undefined): number {
  const lifetime_s = asked ?? LIFETIME_S_DEFAULT;
  const complain = (why: string) =>
    apiErrors.invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [
      fieldErrors.invalid('spec.expirationSeconds', lifetime_s, why),
    ]);
  if (lifetime_s < LIFETIME_S_MIN) throw complain('may not specify a duration less than 10 minutes');
  if (lifetime_s > LIFETIME_S_MAX) throw complain('may not specify a duration larger than 2^32 seconds');
  return lifetime_s;
}

/** Group and version as Go prints them together, of the core group too. */
const typeText = (apiVersion = ''): string => (apiVersion.includes('/') ? apiVersion : `/${apiVersion}`);

async function boundTo(
  reader: ObjectReader,
  call: ResourceCall,
  ref: TokenRequestSpec['boundObjectRef'],
): Promise<{ pod?: ObjectRef; node?: ObjectRef; secret?: ObjectRef }> {
  const bound = Object.hasOwn(BOUND_KINDS, ref.kind ?? '') ? BOUND_KINDS[ref.kind ?? ''] : undefined;
  if (bound === undefined || (ref.apiVersion ?? 'v1') !== 'v1') {
    throw apiErrors.badRequest(
      `cannot bind token to object of type ${typeText(ref.apiVersion)}, Kind=${ref.kind ?? ''}`,
    );
  }
  const name = ref.name ?? '';
  if (name === '') throw apiErrors.badRequest('Name parameter required.');
  const scope = bound.claim === 'node' || call.namespace === undefined ? {} : { namespace: call.namespace };
  const object = await reader.getFresh(bound.resource, { ...scope, name });
  const uid = object?.metadata?.uid;
  if (uid === undefined) throw apiErrors.notFound({ group: '', resource: bound.resource.resource }, name);
  if (ref.uid !== undefined && ref.uid !== uid) {
    throw apiErrors.conflict(
      { group: '', resource: ref.kind ?? '' },
      name,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (bound.claim !== 'pod') return { [bound.claim]: { name, uid } };
  const spec = (object as WithSpec<{ serviceAccountName?: string; nodeName?: string }>).spec;
  if (spec?.serviceAccountName !== call.name) {
    throw apiErrors.badRequest(
      `cannot bind token for serviceaccount "${call.name}" to pod running with different serviceaccount name "${spec?.serviceAccountName ?? ''}"`,
    );
  }
  const node = spec.nodeName === undefined ? undefined : reader.get(core('nodes'), { name: spec.nodeName });
  const nodeUid = node?.metadata?.uid;
  return {
    pod: { name, uid },
    ...(nodeUid === undefined ? {} : { node: { name: spec.nodeName ?? '', uid: nodeUid } }),
  };
}
