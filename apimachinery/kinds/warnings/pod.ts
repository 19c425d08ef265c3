/** What is allowed in a pod, or in the template of one, and hardly ever meant (k8s.io/kubernetes/pkg/api/pod). */
import { jsonEqual } from '../../value.js';
import { at, field, num, optionalNum, recs, str, strs, type Rec } from '../lib/value.js';
import {
  addressWarnings,
  fractionWarnings,
  hasAnnotation,
  labelDeprecation,
  nodeTermsWarnings,
  nodeTermWarnings,
  quoted,
  renamedLabels,
} from './common.js';
import { volumeWarnings } from './volumes.js';

interface Container {
  readonly container: Rec;
  readonly path: string;
}

const BYTES = ['memory', 'ephemeral-storage'];

/** `prefix`: where the template stands, as `spec.template.`; empty for a pod. */
export function podWarnings(object: Rec, prefix: string): string[] {
  const spec = field(object, 'spec');
  const path = `${prefix}spec`;
  const containers = containersOf(spec, path);
  const grace = optionalNum(field(spec, 'terminationGracePeriodSeconds'));
  return [
    ...placementWarnings(spec, path),
    ...annotationWarnings(object, `${prefix}metadata.annotations`),
    ...volumeWarnings(recs(field(spec, 'volumes')), `${path}.volumes`),
    ...repeated(recs(field(spec, 'hostAliases')), 'ip', `${path}.hostAliases`),
    ...repeated(recs(field(spec, 'imagePullSecrets')), 'name', `${path}.imagePullSecrets`),
    ...recs(field(spec, 'imagePullSecrets')).flatMap((secret, index) =>
      str(secret['name']) === '' ? [`${path}.imagePullSecrets[${index}].name: invalid empty name ""`] : [],
    ),
    ...fractionWarnings(field(spec, 'overhead'), `${path}.overhead`, BYTES),
    ...seccompWarnings(object, at(spec, 'securityContext', 'seccompProfile'), {
      path: `${prefix}metadata.annotations`,
      name: 'seccomp.security.alpha.kubernetes.io/pod',
    }),
    ...containers.flatMap((one) => containerWarnings(object, one, prefix)),
    ...portWarnings(containers),
    ...portNameWarnings(containers),
    ...(grace !== undefined && num(grace) < 0
      ? [`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...['podAffinity', 'podAntiAffinity'].flatMap((name) =>
      podAffinityWarnings(at(spec, 'affinity', name), `${path}.affinity.${name}`),
    ),
    ...strs(at(spec, 'dnsConfig', 'nameservers')).flatMap((server, index) =>
      addressWarnings(`${path}.dnsConfig.nameservers[${index}]`, server),
    ),
    ...recs(field(spec, 'hostAliases')).flatMap((alias, index) =>
      addressWarnings(`${path}.hostAliases[${index}].ip`, str(alias['ip'])),
    ),
  ];
}

function containersOf(spec: unknown, path: string): Container[] {
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap((name) =>
    recs(field(spec, name)).map((container, index) => ({ container, path: `${path}.${name}[${index}]` })),
  );
}

const NULL_SELECTOR = 'a null labelSelector results in matching no pod';

function placementWarnings(spec: unknown, path: string): string[] {
  const affinity = at(spec, 'affinity', 'nodeAffinity');
  const required = `${path}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
  const preferred = `${path}.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`;
  return [
    ...renamedLabels(field(spec, 'nodeSelector'), (label) => `${path}.nodeSelector[${label}]`),
    ...nodeTermsWarnings(at(affinity, 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms'), required),
    ...recs(field(affinity, 'preferredDuringSchedulingIgnoredDuringExecution')).flatMap((term, index) =>
      nodeTermWarnings(term['preference'], `${preferred}[${index}].preference`, true),
    ),
    ...recs(field(spec, 'topologySpreadConstraints')).flatMap((constraint, index) => {
      const here = `${path}.topologySpreadConstraints[${index}]`;
      const renamed = labelDeprecation(constraint['topologyKey']);
      return [
        ...(renamed === undefined ? [] : [`${here}.topologyKey: ${str(constraint['topologyKey'])} is ${renamed}`]),
        ...(constraint['labelSelector'] === undefined ? [`${here}.labelSelector: ${NULL_SELECTOR}`] : []),
      ];
    }),
  ];
}

function podAffinityWarnings(affinity: unknown, path: string): string[] {
  const required = recs(field(affinity, 'requiredDuringSchedulingIgnoredDuringExecution'));
  const preferred = recs(field(affinity, 'preferredDuringSchedulingIgnoredDuringExecution'));
  return [
    ...required.flatMap((term, index) =>
      term['labelSelector'] === undefined
        ? [`${path}.requiredDuringSchedulingIgnoredDuringExecution[${index}].labelSelector: ${NULL_SELECTOR}`]
        : [],
    ),
    ...preferred.flatMap((term, index) =>
      at(term, 'podAffinityTerm', 'labelSelector') === undefined
        ? [
            `${path}.preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm.labelSelector: ${NULL_SELECTOR}`,
          ]
        : [],
    ),
  ];
}

const OLD_ANNOTATIONS = [
  ['scheduler.alpha.kubernetes.io/critical-pod', 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ['security.alpha.kubernetes.io/sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
  ['security.alpha.kubernetes.io/unsafe-sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
] as const;

const annotationWarnings = (object: Rec, path: string): string[] =>
  OLD_ANNOTATIONS.flatMap(([name, message]) => (hasAnnotation(object, name) ? [`${path}[${name}]: ${message}`] : []));

function repeated(items: readonly Rec[], name: string, path: string): string[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const value = str(item[name]);
    if (seen.has(value)) return [`${path}[${index}].${name}: duplicate ${name} ${quoted(value)}`];
    seen.add(value);
    return [];
  });
}

function seccompWarnings(
  object: Rec,
  profile: unknown,
  { path, name }: { readonly path: string; readonly name: string },
): string[] {
  return profile === undefined && hasAnnotation(object, name)
    ? [`${path}[${name}]: non-functional in v1.27+; use the "seccompProfile" field instead`]
    : [];
}

const ARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const LOCALHOST = 'localhost/';

function armorOf(annotation: string): object | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  return annotation.startsWith(LOCALHOST) && annotation !== LOCALHOST
    ? { type: 'Localhost', localhostProfile: annotation.slice(LOCALHOST.length) }
    : undefined;
}

function armorWarnings(object: Rec, container: Rec, path: string): string[] {
  const name = `${ARMOR}${str(container['name'])}`;
  if (!hasAnnotation(object, name) || at(container, 'securityContext', 'appArmorProfile') !== undefined) return [];
  const ofPod = at(object, 'spec', 'securityContext', 'appArmorProfile');
  if (ofPod !== undefined && jsonEqual(ofPod, armorOf(str(at(object, 'metadata', 'annotations', name))))) return [];
  return [`${path}[${name}]: deprecated since v1.30; use the "appArmorProfile" field instead`];
}

function containerWarnings(object: Rec, { container, path }: Container, prefix: string): string[] {
  const annotations = `${prefix}metadata.annotations`;
  const seccomp = {
    path: annotations,
    name: `container.seccomp.security.alpha.kubernetes.io/${str(container['name'])}`,
  };
  return [
    ...seccompWarnings(object, at(container, 'securityContext', 'seccompProfile'), seccomp),
    ...(prefix === '' ? [] : armorWarnings(object, container, annotations)),
    ...resourceWarnings(container['resources'], path),
    ...envWarnings(recs(container['env']), `${path}.env`),
  ];
}

/** Of each container, and of thousands: most have none. */
function resourceWarnings(resources: unknown, path: string): string[] {
  const kinds = ['limits', 'requests'].filter((kind) => field(resources, kind) !== undefined);
  return kinds.length === 0
    ? []
    : BYTES.flatMap((name) =>
        kinds.flatMap((kind) => fractionWarnings(field(resources, kind), `${path}.resources.${kind}`, [name])),
      );
}

/** A variable given twice is meant where the second one extends the first. */
function envWarnings(variables: readonly Rec[], path: string): string[] {
  const seen = new Set<string>();
  return variables.flatMap((variable, index) => {
    const name = str(variable['name']);
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    const reference = `$(${name})`;
    const value = str(variable['value']);
    const extends_ = variable['valueFrom'] === undefined && value !== reference && value.includes(reference);
    return extends_
      ? []
      : [`${path}[${index}]: hides previous definition of ${quoted(name)}, which may be dropped when using apply`];
  });
}

interface Port {
  readonly path: string;
  readonly hostIP: string;
  readonly hostPort: number;
}

/** Ports that share a number are compared in pairs: as many as are worth it. */
const PAIRS_MAX = 10_000;

function portWarnings(containers: readonly Container[]): string[] {
  const byNumber = new Map<string, Port[]>();
  const warnings: string[] = [];
  let pairs = 0;
  for (const { container, path } of containers) {
    for (const [index, given] of recs(container['ports']).entries()) {
      const port = {
        path: `${path}.ports[${index}]`,
        hostIP: str(given['hostIP']),
        hostPort: num(optionalNum(given['hostPort'])),
      };
      if (port.hostIP !== '' && port.hostPort === 0)
        warnings.push(`${port.path}: hostIP set without hostPort: ${goPort(given)}`);
      const number = `${num(optionalNum(given['containerPort']))}/${str(given['protocol'])}`;
      const others = byNumber.get(number) ?? [];
      for (const other of others) {
        pairs += 1;
        if (pairs > PAIRS_MAX) return warnings;
        const conflict = conflictOf(port, other);
        if (conflict !== undefined) warnings.push(`${port.path}: ${conflict} port definition with ${other.path}`);
      }
      others.push(port);
      byNumber.set(number, others);
    }
  }
  return warnings;
}

function conflictOf(a: Port, b: Port): string | undefined {
  if (a.hostIP === b.hostIP && a.hostPort === b.hostPort) return 'duplicate';
  if (a.hostPort === 0 || b.hostPort === 0) return 'overlapping';
  return a.hostPort === b.hostPort && (a.hostIP === '') !== (b.hostIP === '') ? 'dangerously ambiguous' : undefined;
}

/** As Go prints the structure. */
function goPort(port: Rec): string {
  const number = (name: string): number => num(optionalNum(port[name]));
  return `{Name:${str(port['name'])} HostPort:${number('hostPort')} ContainerPort:${number('containerPort')} Protocol:${str(port['protocol'])} HostIP:${str(port['hostIP'])}}`;
}

function portNameWarnings(containers: readonly Container[]): string[] {
  const first = new Map<string, string>();
  return containers.flatMap(({ container, path }) =>
    recs(container['ports']).flatMap((port, index) => {
      const [name, here] = [str(port['name']), `${path}.ports[${index}]`];
      if (name === '') return [];
      const other = first.get(name);
      if (other !== undefined)
        return [
          `${here}: duplicate port name ${quoted(name)} with ${other}, services and probes that select ports by name will use ${other}`,
        ];
      first.set(name, here);
      return [];
    }),
  );
}
