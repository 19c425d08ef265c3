/** What a call on objects may do: the question to the port of authorization, and the refusal in the words of kube-apiserver. */
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { ResourceId } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Authorizer } from '../ports.js';

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
export async function authorizeCall(caller: Caller, verb: Verb, asked: AskedObjects): Promise<void> {
  const { authorizer, user } = caller;
  const { group, version, resource } = asked.resource;
  const name = asked.name ?? nameSelected(asked.fieldSelector);
  const { subresource, namespace, labelSelector, fieldSelector } = asked;
  const decision = await authorizer.authorize({
    kind: 'resource', user, verb, group, version, resource,
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  });
  if (decision.allowed) return;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const reason = decision.reason === '' ? '' : `: ${decision.reason}`;
  throw apiErrors.forbidden(asked.resource, name ?? '',
    `User "${user.name}" cannot ${verb} resource "${what}" in API group "${group}" ${where}${reason}`);
}

/** What `system:discovery` gives to everybody who is known. Throws ApiError Forbidden. */
export async function authorizeDiscovery({ authorizer, user }: Caller): Promise<void> {
  const decision = await authorizer.authorize({ kind: 'nonResource', user, verb: 'get', path: '/apis' });
  if (!decision.allowed) throw apiErrors.forbidden({ group: '', resource: '' }, '', `User "${user.name}" cannot get path "/apis"`);
}

/** A list or watch of one name is authorized as that name: rules with resourceNames rely on it. */
function nameSelected(fieldSelector: string | undefined): string | undefined {
  return /^metadata\.name=([^,=!]+)$/.exec(fieldSelector ?? '')?.[1];
}
