/**
 * The refusal of an authorizer, in kube-apiserver's words (k8s.io/apiserver/pkg/endpoints/handlers/responsewriters).
 */
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { AuthorizationAttributes } from '../ports.js';

/** A Forbidden for what was asked. `reason` may be empty. */
export function forbidden(asked: AuthorizationAttributes, reason = ''): ApiError {
  const why = `${unlikeHtml(`User ${JSON.stringify(asked.user.name)} cannot ${asked.verb} ${targetOf(asked)}`)}${reason === '' ? '' : `: ${reason}`}`;
  if (asked.kind === 'resource') return apiErrors.forbidden(asked, asked.name ?? '', why);
  return new ApiError({
    ...apiErrors.forbidden({ group: '', resource: '' }, '', '').status,
    message: `forbidden: ${why}`,
    details: {},
  });
}

function targetOf(asked: AuthorizationAttributes): string {
  if (asked.kind === 'nonResource') return `path ${JSON.stringify(asked.path)}`;
  const { group, resource, subresource = '', namespace = '' } = asked;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `resource ${JSON.stringify(subresource === '' ? resource : `${resource}/${subresource}`)} in API group ${JSON.stringify(group)} ${where}`;
}

/** Names come from the client: a browser that shows the answer must not find tags in it. */
const unlikeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
