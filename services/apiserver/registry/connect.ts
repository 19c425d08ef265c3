/** Admission of connections (exec, attach, port-forward): the registry's part of a request that is no read or write. */
import type { Kind } from '../../../apimachinery/kind.js';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { Admission } from '../ports.js';

interface ConnectRequest {
  readonly kind: Kind;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: UserInfo;
  /** The options of the connection, as PodExecOptions has them. */
  readonly options: KubeObject;
}

export interface RegistryAdmission {
  /** Throws what admission refuses with. */
  admit(request: ConnectRequest): Promise<void>;
}

export function connectAdmission(admission: Admission): RegistryAdmission {
  return {
    async admit(request) {
      const facts = request.kind.subresources.find((sub) => sub.name === request.subresource);
      const attributes = {
        kind: request.kind,
        objectKind: facts?.kind ?? request.kind,
        subresource: request.subresource,
        operation: 'CONNECT' as const,
        namespace: request.namespace,
        name: request.name,
        object: request.options,
        oldObject: undefined,
        user: request.user,
        dryRun: false,
        options: {},
        warn: () => undefined,
      };
      await admission.mutate(attributes);
      await admission.validate(attributes);
    },
  };
}
