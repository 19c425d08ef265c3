/** Nothing is created in a namespace that is missing or going away; the namespaces everything hangs on cannot go. */
import { namespaces } from '../../../apimachinery/gen/resources.js';
import type { Namespace } from '../../../apimachinery/gen/types.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { AdmissionAttributes, ObjectReader } from '../ports.js';
import { isResource, type AdmissionPlugin } from './plugin.js';

const IMMORTAL = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);

export function namespaceLifecycle(reader: ObjectReader): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    async mutate(attributes) {
      if (isResource(attributes.kind, '', 'namespaces')) {
        if (
          attributes.operation === 'DELETE' &&
          attributes.subresource === undefined &&
          IMMORTAL.has(attributes.name)
        ) {
          throw apiErrors.forbidden(attributes.kind, attributes.name, 'this namespace may not be deleted');
        }
        return;
      }
      if (attributes.operation !== 'CREATE' || !attributes.kind.namespaced || attributes.subresource !== undefined)
        return;
      // A question about rights makes nothing there.
      if (isResource(attributes.kind, 'authorization.k8s.io', 'localsubjectaccessreviews')) return;
      await mustBeAlive(reader, attributes);
    },
  };
}

async function mustBeAlive(reader: ObjectReader, attributes: AdmissionAttributes): Promise<void> {
  const name = attributes.namespace ?? '';
  // The cache may be behind a namespace that was just made: ask the store before refusing.
  const found = reader.get(namespaces, { name }) ?? (await reader.getFresh(namespaces, { name }));
  if (found === undefined) throw apiErrors.notFound(namespaces, name);
  const namespace = found as Namespace;
  if (namespace.metadata?.deletionTimestamp === undefined && namespace.status?.phase !== 'Terminating') return;
  const refusal = apiErrors.forbidden(
    attributes.kind,
    attributes.name,
    `unable to create new content in namespace ${name} because it is being terminated`,
  );
  throw new ApiError({
    ...refusal.status,
    details: {
      ...refusal.status.details,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${name} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  });
}
