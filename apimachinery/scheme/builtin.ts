/** The built-in rows: the compiled facts joined with the extras of the kinds that have them. */
import { kindExtras } from '../kinds/index.js';
import type { ExtrasKey, ExtrasTable, KindExtras } from '../kinds/extras.js';
import type { Kind, SubresourceFacts } from '../kind.js';
import { builtInDefinitions, kindRows } from './data.js';
import type { KindRow } from './data.js';
import { compareVersions, KindTable } from './scheme.js';
import type { MutableScheme } from './scheme.js';

/** A fresh scheme with all built-in kinds; each server has one of its own, since CRDs change it. */
export function builtInScheme(extras: ExtrasTable = kindExtras): MutableScheme {
  const definitions = builtInDefinitions();
  const rows = [...kindRows()].sort(inDiscoveryOrder).map((row) => kindOf(row, extrasOf(row, extras)));
  return new KindTable(rows, (ref) => (Object.hasOwn(definitions, ref) ? definitions[ref] : undefined));
}

/** Groups in the order of kube-apiserver's discovery (its priorities of built-in API services). */
const GROUP_ORDER = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
];

function inDiscoveryOrder(a: KindRow, b: KindRow): number {
  return (
    GROUP_ORDER.indexOf(a.group) - GROUP_ORDER.indexOf(b.group) ||
    compareVersions(a.version, b.version) ||
    (a.plural < b.plural ? -1 : 1)
  );
}

function extrasOf(row: KindRow, extras: ExtrasTable): KindExtras {
  const general: ExtrasKey = `${row.group}/${row.plural}`;
  const special: ExtrasKey = `${row.group}/${row.version}/${row.plural}`;
  return { ...extras[general], ...extras[special] };
}

/** Groups that lived in servers of their own keep a folder of their own in the store; the others share one level. */
const GROUPS_WITH_FOLDER = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io']);

function kindOf(row: KindRow, extras: KindExtras): Kind {
  return {
    group: row.group,
    version: row.version,
    kind: row.kind,
    resource: row.plural,
    listKind: row.listKind ?? `${row.kind}List`,
    singular: row.singular,
    namespaced: row.namespaced,
    verbs: row.verbs,
    shortNames: extras.shortNames ?? [],
    categories: extras.categories ?? [],
    subresources: (row.subresources ?? []).map((sub): SubresourceFacts => ({
      name: sub.name,
      verbs: sub.verbs,
      kind: { group: sub.group ?? row.group, version: sub.version ?? row.version, kind: sub.kind ?? row.kind },
    })),
    storagePrefix:
      extras.storagePrefix ?? (GROUPS_WITH_FOLDER.has(row.group) ? `${row.group}/${row.plural}` : row.plural),
    storageVersion: extras.storageVersion ?? row.version,
    schema: { ref: row.definition },
    fieldSelectors: extras.fieldSelectors ?? {},
    strategy: extras.strategy ?? {},
    ...(extras.fieldRefusal === undefined ? {} : { fieldRefusal: extras.fieldRefusal }),
    ...(extras.scale === undefined ? {} : { scale: extras.scale }),
    ...(extras.printer === undefined ? {} : { printer: extras.printer }),
    ...(extras.deprecationWarning === undefined ? {} : { deprecationWarning: extras.deprecationWarning }),
    ...(extras.complaintGroup === undefined ? {} : { complaintGroup: extras.complaintGroup }),
    ...(extras.conversion === undefined ? {} : { conversion: extras.conversion }),
  };
}
