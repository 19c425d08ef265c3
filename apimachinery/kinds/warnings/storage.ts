/** Volumes, claims and classes. */
import { jsonEqual } from '../../value.js';
import { at, entries, field, recs, type Rec } from '../lib/value.js';
import {
  claimSpecWarnings,
  GONE_VOLUMES,
  hasAnnotation,
  labelDeprecation,
  nodeTermsWarnings,
  renamedKeys,
  renamedLabels,
  volumeFieldName,
} from './common.js';

const CLASS = 'volume.beta.kubernetes.io/storage-class';
const OPTIONS = 'volume.beta.kubernetes.io/mount-options';
/** A volume still may say so: its other uses are gone. */
const OF_PODS_ALONE = new Set(['gitRepo', 'flocker', 'quobyte']);

export function volumeWarnings(volume: Rec): string[] {
  const spec = field(volume, 'spec');
  return [
    ...(hasAnnotation(volume, CLASS)
      ? [`metadata.annotations[${CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead`]
      : []),
    ...(hasAnnotation(volume, OPTIONS)
      ? [`metadata.annotations[${OPTIONS}]: deprecated since v1.31; use "mountOptions" attribute instead`]
      : []),
    ...(field(spec, 'persistentVolumeReclaimPolicy') === 'Recycle'
      ? [
          'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
        ]
      : []),
    ...nodeTermsWarnings(
      at(spec, 'nodeAffinity', 'required', 'nodeSelectorTerms'),
      'spec.nodeAffinity.required.nodeSelectorTerms',
    ),
    ...GONE_VOLUMES.filter(([name]) => !OF_PODS_ALONE.has(name) && field(spec, name) !== undefined).map(
      ([name, message]) => `spec.${volumeFieldName(name)}: ${message}`,
    ),
  ];
}

export function claimWarnings(claim: Rec): string[] {
  const old = hasAnnotation(claim, CLASS)
    ? [`metadata.annotations[${CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead`]
    : [];
  return [...old, ...claimSpecWarnings(claim['spec'], 'spec')];
}

export const storageClassWarnings = (storageClass: Rec): string[] =>
  recs(storageClass['allowedTopologies']).flatMap((topology, index) =>
    recs(topology['matchLabelExpressions']).flatMap((expression, at_) => {
      const message = labelDeprecation(expression['key']);
      return message === undefined ? [] : [`allowedTopologies[${index}].matchLabelExpressions[${at_}].key: ${message}`];
    }),
  );

export const capacityWarnings = (capacity: Rec): string[] => [
  ...renamedKeys(at(capacity, 'nodeTopology', 'matchExpressions'), 'nodeTopology.matchExpressions'),
  ...renamedLabels(at(capacity, 'nodeTopology', 'matchLabels'), (label) => `nodeTopology.matchLabels.${label}`),
];

const TOKENS =
  'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes';

export function driverWarnings(driver: Rec, old: Rec | undefined): string[] {
  const requests = at(driver, 'spec', 'tokenRequests');
  if (entries(requests).length === 0 && recs(requests).length === 0) return [];
  if (
    at(driver, 'spec', 'serviceAccountTokenInSecrets') !== undefined ||
    (old !== undefined && jsonEqual(requests, at(old, 'spec', 'tokenRequests')))
  )
    return [];
  return [TOKENS];
}
