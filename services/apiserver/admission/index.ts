/** The admission plugins of the API server, in the order of Kubernetes' recommended ones. */
import type { RbacAuthorizer } from '../auth/rbac-authorizer.js';
import type { Admission, ApiServerContext } from '../ports.js';
import { certificateRights } from './certificates.js';
import { definitionWarnings } from './definition-warnings.js';
import { finalizerWarnings } from './finalizer-warnings.js';
import { namespaceLifecycle } from './namespace-lifecycle.js';
import { notActedOn, type HasController } from './not-acted-on.js';
import { AdmissionChain } from './plugin.js';
import { podSecurity } from './pod-security/pod-security.js';
import { ABSENCE_S_DEFAULT, defaultTolerationSeconds, podPriority, taintNewNodes } from './pod-defaults.js';
import { rbacEscalation } from './rbac-escalation.js';
import { runtimeClass } from './runtime-class.js';
import { serviceAccount } from './service-account.js';
import { storageProtection } from './storage-protection.js';

export interface AdmissionOptions {
  /** How long pods stay on a node that is away, unless they say otherwise; Kubernetes' 300 when absent. */
  readonly tolerationSeconds?: number;
  /** Absent: none registered. */
  readonly hasController?: HasController;
}

export function createAdmission(
  context: ApiServerContext,
  authorizer: RbacAuthorizer,
  options: AdmissionOptions = {},
): Admission {
  return new AdmissionChain([
    namespaceLifecycle(context.reader),
    serviceAccount(context.reader, context.random),
    taintNewNodes(),
    podSecurity(context.reader, context.clock),
    podPriority(context.reader),
    defaultTolerationSeconds(options.tolerationSeconds ?? ABSENCE_S_DEFAULT),
    storageProtection(),
    runtimeClass(context.reader),
    certificateRights(authorizer),
    rbacEscalation(authorizer, context),
    definitionWarnings(),
    finalizerWarnings(),
    notActedOn(options.hasController ?? (() => false)),
  ]);
}
