/** Validation of CSIDrivers, CSINodes and CSIStorageCapacities (k8s.io/kubernetes/pkg/apis/storage/validation). */
import type { StrategyContext } from '../../kind.js';
import { dns1123Subdomain, qualifiedName } from '../../names.js';
import { quantityNano } from '../../quantity.js';
import type { FieldError } from '../../status.js';
import { IMMUTABLE, NOT_NEGATIVE, complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import {
  absent,
  at,
  field,
  isRec,
  list,
  optionalNum,
  recs,
  same,
  scalarText,
  str,
  strs,
  type Rec,
} from '../lib/value.js';
import { validateDriverName } from '../volumes/sources.js';

const TOKEN_SECONDS_MIN = 600;
const TOKEN_SECONDS_MAX = 2 ** 32;
const UPDATE_PERIOD_SECONDS_MIN = 10;
const NODE_ID_MAX = 256;

function validateTokens(complaints: Complaints, requests: unknown): void {
  const audiences = new Set<string>();
  for (const [index, request] of recs(requests).entries()) {
    const path = `spec.tokenRequests[${index}]`;
    const audience = str(request['audience']);
    if (audiences.has(audience)) {
      complaints.duplicate(`${path}.audience`, audience);
      continue;
    }
    audiences.add(audience);
    const seconds = optionalNum(request['expirationSeconds']);
    if (seconds === undefined) continue;
    if (seconds < TOKEN_SECONDS_MIN)
      complaints.invalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes');
    if (seconds > TOKEN_SECONDS_MAX)
      complaints.invalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds');
  }
}

function validateDriverSpec(complaints: Complaints, spec: unknown): void {
  // The path that Kubernetes gives for attachRequired.
  if (absent(field(spec, 'attachRequired'))) complaints.required('spec.attachedRequired');
  for (const name of ['podInfoOnMount', 'storageCapacity'])
    if (absent(field(spec, name))) complaints.required(`spec.${name}`);
  complaints.enumerated('spec.fsGroupPolicy', field(spec, 'fsGroupPolicy'), [
    'File',
    'None',
    'ReadWriteOnceWithFSType',
  ]);
  const tokens = field(spec, 'tokenRequests');
  validateTokens(complaints, tokens);
  for (const mode of strs(field(spec, 'volumeLifecycleModes')))
    complaints.enumerated('spec.volumeLifecycleModes', mode, ['Persistent', 'Ephemeral']);
  if (absent(field(spec, 'seLinuxMount'))) complaints.required('spec.seLinuxMount');
  const period = optionalNum(field(spec, 'nodeAllocatableUpdatePeriodSeconds'));
  if (period !== undefined && period < UPDATE_PERIOD_SECONDS_MIN)
    complaints.invalid(
      'spec.nodeAllocatableUpdatePeriodSeconds',
      period,
      'must be greater than or equal to 10 seconds',
    );
  const inSecrets = field(spec, 'serviceAccountTokenInSecrets');
  if (!absent(inSecrets) && list(tokens).length === 0) {
    complaints.invalid(
      'spec.serviceAccountTokenInSecrets',
      inSecrets,
      'serviceAccountTokenInSecrets is set but no tokenRequests are specified',
    );
  }
}

export function validateDriver(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    validateDriverSpec(complaints, spec);
    const before = field(context?.old, 'spec');
    if (!isRec(before)) return;
    const attach = field(spec, 'attachRequired');
    if (attach !== before['attachRequired']) complaints.invalid('spec.attachedRequired', attach, IMMUTABLE);
    const modes = field(spec, 'volumeLifecycleModes');
    complaints.immutable('spec.volumeLifecycleModes', modes, same(modes, before['volumeLifecycleModes']));
  });
}

function validateTopologyKeys(complaints: Complaints, keys: readonly string[], path: string): void {
  const seen = new Set<string>();
  for (const key of keys) {
    if (key === '') complaints.required(path);
    if (seen.has(key)) complaints.duplicate(path, key);
    seen.add(key);
    complaints.form(path, key, qualifiedName);
  }
}

/** Kubernetes shows its internal type. */
const shownDriver = ({ name, nodeID, topologyKeys }: Rec): Rec => ({
  Name: str(name),
  NodeID: str(nodeID),
  TopologyKeys: topologyKeys ?? null,
  Allocatable: null,
});

/** The number of volumes a node can take may change; who the node is to the driver may not. */
function validateDriversUpdate(complaints: Complaints, drivers: readonly Rec[], before: readonly Rec[]): void {
  const byName = new Map<string, Rec[]>();
  for (const driver of drivers) byName.set(str(driver['name']), [...(byName.get(str(driver['name'])) ?? []), driver]);
  for (const old of before) {
    for (const driver of byName.get(str(old['name'])) ?? []) {
      complaints.immutable('spec.drivers', shownDriver(driver), same(shownDriver(driver), shownDriver(old)));
    }
  }
}

export function validateNode(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const names = new Set<string>();
    const drivers = recs(at(object, 'spec', 'drivers'));
    for (const [index, driver] of drivers.entries()) {
      const path = `spec.drivers[${index}]`;
      const nodeID = str(driver['nodeID']);
      const name = str(driver['name']);
      validateDriverName(complaints, name, `${path}.name`);
      if (nodeID === '') complaints.required(`${path}.nodeID`);
      if (nodeID.length > NODE_ID_MAX)
        complaints.invalid(`${path}.nodeID`, nodeID, `must be ${NODE_ID_MAX} characters or less`);
      complaints.atLeast(`${path}.allocatable.count`, at(driver, 'allocatable', 'count'));
      if (names.has(name)) complaints.duplicate(`${path}.name`, name);
      names.add(name);
      validateTopologyKeys(complaints, strs(driver['topologyKeys']), path);
    }
    if (context?.old !== undefined)
      validateDriversUpdate(complaints, drivers, recs(at(context.old, 'spec', 'drivers')));
  });
}

export function validateStorageCapacity(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    validateLabelSelector(complaints, object['nodeTopology'], 'nodeTopology');
    complaints.form('storageClassName', object['storageClassName'], dns1123Subdomain);
    const capacity = object['capacity'];
    if (!absent(capacity) && quantityNano(capacity) < 0n)
      complaints.invalid('capacity', scalarText(capacity), NOT_NEGATIVE);
    const old = context?.old;
    if (old === undefined) return;
    for (const name of ['nodeTopology', 'storageClassName'])
      complaints.immutable(name, object[name], same(object[name], field(old, name), name));
  });
}
