/**
 * What a call on objects may do: the question to the port of authorization, and the refusal in the words of
 * kube-apiserver.
 */
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { ResourceId } from '../../../apimachinery/object.js';
import type { Authorizer } from '../ports.js';
import { forbidden } from './forbidden.js';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

export interface AskedObjects {
  readonly resource: ResourceId;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface Caller {
  readonly user: UserInfo;
  readonly authorizer: Authorizer;
}

/** Throws ApiError Forbidden, in the words of kube-apiserver, unless the user may. */
export async function authorizeCall({ authorizer, user }: Caller, verb: Verb, asked: AskedObjects): Promise<void> {
  const { group, version, resource } = asked.resource;
  const name = asked.name ?? nameSelected(asked.fieldSelector);
  const { subresource, labelSelector, fieldSelector } = asked;
  // A namespace is in itself: whoever may get namespaces in one may get that one.
  const namespace = asked.namespace ?? (group === '' && resource === 'namespaces' ? asked.name : undefined);
  const attributes = {
    kind: 'resource',
    user,
    verb,
    group,
    version,
    resource,
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  } as const;
  const decision = await authorizer.authorize(attributes);
  if (!decision.allowed) throw forbidden(attributes, decision.reason);
}

/** What `system:discovery` gives to everybody who is known. Throws ApiError Forbidden. */
export async function authorizeDiscovery({ authorizer, user }: Caller): Promise<void> {
  const attributes = { kind: 'nonResource', user, verb: 'get', path: '/apis' } as const;
  const decision = await authorizer.authorize(attributes);
  if (!decision.allowed) throw forbidden(attributes, decision.reason);
}

/** A list or watch of one name is authorized as that name: rules with resourceNames rely on it. */
function nameSelected(fieldSelector: string | undefined): string | undefined {
  return /^metadata\.name=([^,=!]+)$/.exec(fieldSelector ?? '')?.[1];
}
