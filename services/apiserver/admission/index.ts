/** The admission plugins of the API server, in the order of Kubernetes' recommended ones. */
import type { RbacAuthorizer } from '../auth/rbac-authorizer.js';
import type { Admission, ApiServerContext } from '../ports.js';
import { namespaceLifecycle } from './namespace-lifecycle.js';
import { AdmissionChain } from './plugin.js';
import { defaultTolerationSeconds, podPriority, taintNewNodes } from './pod-defaults.js';
import { rbacEscalation } from './rbac-escalation.js';
import { serviceAccount } from './service-account.js';

export function createAdmission(context: ApiServerContext, authorizer: RbacAuthorizer): Admission {
  return new AdmissionChain([
    namespaceLifecycle(context.reader),
    serviceAccount(context.reader, context.random),
    taintNewNodes(),
    podPriority(context.reader),
    defaultTolerationSeconds(),
    rbacEscalation(authorizer, context.reader),
  ]);
}
