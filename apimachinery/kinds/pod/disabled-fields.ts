/**
 * Fields of pods whose feature is off in Kubernetes v1.36: dropped when they are written, as kube-apiserver drops them.
 */
import { containersOf } from '../lib/containers.js';
import { field, isRec, recs, type Rec } from '../lib/value.js';

const DISABLED_PROJECTIONS = ['clusterTrustBundle', 'podCertificate'];

/** ContainerStopSignals, ClusterTrustBundleProjection, PodCertificateRequest, GenericWorkload. */
export function dropDisabledFields(spec: Rec): void {
  delete spec['schedulingGroup'];
  for (const { container } of containersOf(spec)) {
    const lifecycle = field(container, 'lifecycle');
    if (isRec(lifecycle)) delete lifecycle['stopSignal'];
  }
  for (const volume of recs(spec['volumes'])) {
    for (const source of recs(field(volume['projected'], 'sources'))) {
      if (!Object.isFrozen(source)) for (const name of DISABLED_PROJECTIONS) delete source[name];
    }
  }
}

/** Of a pod template. */
export function dropDisabledOf(template: unknown): void {
  const spec = field(template, 'spec');
  if (isRec(spec)) dropDisabledFields(spec);
}
