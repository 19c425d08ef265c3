/** Validation of a ResourceClaim's status: what it was allocated, for whom, and what drivers say of the devices. */
import type { StrategyContext } from '../../kind.js';
import { dns1123Label } from '../../names.js';
import type { FieldError } from '../../status.js';
import { parseCidr } from '../lib/addresses.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateConditions } from '../lib/validate-conditions.js';
import { absent, at, field, isRec, recs, same, str, strs, unset, type Rec } from '../lib/value.js';
import { validateNodeSelector } from '../lib/node-selector-validation.js';
import { validateDriverName } from '../volumes/sources.js';
import { validateAdminResults } from './admin-access.js';
import { eachItem, eachOfSet, validateBindingConditions, validatePoolName } from './lists.js';
import { requestNames, validateRequestRef, validateRequestRefs, type RequestNames } from './requests.js';
import { validateConfiguration, validateObject } from './selectors.js';
import { shownAllocation, shownDevice } from './shown.js';

const CONSUMERS_MAX = 256;
const RESULTS_MAX = 32;
const CONFIGS_MAX = 64;
const CONDITIONS_MAX = 8;
const DATA_LENGTH_MAX = 10 * 1024;
const ADDRESSES_MAX = 16;
const INTERFACE_NAME_MAX = 256;
const HARDWARE_ADDRESS_MAX = 128;
const UID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const keyOf = (device: Rec): string => JSON.stringify(shownDevice(device));

function validateShare(complaints: Complaints, share: unknown, path: string): void {
  if (absent(share)) return;
  const uid = str(share);
  if (!UID.test(uid))
    complaints.invalid(
      path,
      uid,
      `error validating uid: ${uid.length === 36 ? 'invalid UUID format' : `invalid UUID length: ${uid.length}`}`,
    );
  else if (uid !== uid.toLowerCase()) {
    complaints.invalid(
      path,
      uid,
      'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters',
    );
  }
}

function validateResult(complaints: Complaints, result: Rec, path: string, names: RequestNames): void {
  validateRequestRef(complaints, str(result['request']), `${path}.request`, names);
  validateDriverName(complaints, result['driver'], `${path}.driver`);
  validatePoolName(complaints, result['pool'], `${path}.pool`);
  complaints.form(`${path}.device`, str(result['device']), dns1123Label);
  validateBindingConditions(complaints, result, path);
  validateShare(complaints, result['shareID'], `${path}.shareID`);
}

function validateAllocation(complaints: Complaints, allocation: Rec, names: RequestNames): void {
  const path = 'status.allocation.devices';
  const devices = field(allocation, 'devices');
  eachItem(complaints, recs(field(devices, 'results')), { path: `${path}.results`, max: RESULTS_MAX }, (result, here) =>
    validateResult(complaints, result, here, names),
  );
  eachItem(complaints, recs(field(devices, 'config')), { path: `${path}.config`, max: CONFIGS_MAX }, (config, here) => {
    complaints.oneOf(`${here}.source`, config['source'], ['FromClaim', 'FromClass'], true);
    validateRequestRefs(complaints, config['requests'], `${here}.requests`, names);
    validateConfiguration(complaints, config, here);
  });
  if (isRec(allocation['nodeSelector']))
    validateNodeSelector(complaints, allocation['nodeSelector'], 'status.allocation.nodeSelector');
}

function validateNetwork(complaints: Complaints, network: unknown, path: string): void {
  if (!isRec(network)) return;
  for (const [name, max] of [
    ['interfaceName', INTERFACE_NAME_MAX],
    ['hardwareAddress', HARDWARE_ADDRESS_MAX],
  ] as const) {
    if (Buffer.byteLength(str(network[name])) > max) complaints.tooLong(`${path}.${name}`, max);
  }
  eachOfSet(
    complaints,
    strs(network['ips']),
    { path: `${path}.ips`, max: ADDRESSES_MAX, keyOf: (address) => address },
    (address, here) => {
      if (parseCidr(address) === undefined)
        complaints.invalid(here, address, 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)');
    },
  );
}

function validateDevice(complaints: Complaints, device: Rec, path: string, allocated: ReadonlySet<string>): void {
  validateDriverName(complaints, device['driver'], `${path}.driver`);
  validatePoolName(complaints, device['pool'], `${path}.pool`);
  complaints.form(`${path}.device`, str(device['device']), dns1123Label);
  validateShare(complaints, device['shareID'], `${path}.shareID`);
  if (!allocated.has(keyOf(device)))
    complaints.invalid(path, shownDevice(device), 'must be an allocated device in the claim');
  const conditions = recs(device['conditions']);
  if (conditions.length > CONDITIONS_MAX) complaints.tooMany(`${path}.conditions`, conditions.length, CONDITIONS_MAX);
  validateConditions(complaints, conditions, `${path}.conditions`);
  if (!absent(device['data'])) validateObject(complaints, device['data'], `${path}.data`, DATA_LENGTH_MAX);
  validateNetwork(complaints, device['networkData'], `${path}.networkData`);
}

function validateDevices(complaints: Complaints, status: unknown): void {
  const allocated = new Set(recs(at(status, 'allocation', 'devices', 'results')).map(keyOf));
  const devices = recs(field(status, 'devices'));
  for (const [index, device] of devices.entries())
    validateDevice(complaints, device, `status.devices[${index}]`, allocated);
  const seen = new Set<string>();
  for (const [index, device] of devices.entries()) {
    if (seen.has(keyOf(device))) complaints.duplicate(`status.devices[${index}]`, shownDevice(device));
    seen.add(keyOf(device));
  }
}

function validateConsumers(complaints: Complaints, claim: Rec, before: unknown): void {
  const path = 'status.reservedFor';
  const consumers = recs(at(claim, 'status', 'reservedFor'));
  if (consumers.length === 0) return;
  if (!isRec(at(claim, 'status', 'allocation')))
    return complaints.forbidden(path, 'may not be specified when `allocated` is not set');
  if (absent(at(claim, 'metadata', 'deletionTimestamp'))) return;
  const known = recs(field(before, 'reservedFor'));
  if (consumers.some((consumer) => !known.some((one) => same(one, consumer)))) {
    complaints.forbidden(
      path,
      'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set',
    );
  }
}

/** An allocation is made once, and checked then; it goes as a whole. */
export function validateClaimStatus(claim: Rec, context: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const [status, before] = [field(claim, 'status'), at(context.old, 'status')];
    const [allocation, allocated] = [field(status, 'allocation'), field(before, 'allocation')];
    validateAdminResults(complaints, allocation, allocated, context);
    eachOfSet(
      complaints,
      recs(field(status, 'reservedFor')),
      { path: 'status.reservedFor', max: CONSUMERS_MAX, keyOf: ({ uid }) => str(uid) },
      (consumer, path) => {
        for (const name of ['resource', 'name', 'uid'])
          if (unset(consumer[name])) complaints.required(`${path}.${name}`);
      },
    );
    validateDevices(complaints, status);
    validateConsumers(complaints, claim, before);
    if (!isRec(allocation)) return;
    if (isRec(allocated))
      complaints.immutable('status.allocation', shownAllocation(allocation), same(allocation, allocated));
    else validateAllocation(complaints, allocation, requestNames(at(claim, 'spec', 'devices')));
  });
}

/** What drivers said of devices goes with them. */
export function dropDeallocated(claim: Rec, old: Rec): void {
  const status = field(claim, 'status');
  if (!isRec(status) || absent(status['devices'])) return;
  const results = (object: Rec): Set<string> =>
    new Set(recs(at(object, 'status', 'allocation', 'devices', 'results')).map(keyOf));
  const [now, before] = [results(claim), results(old)];
  const kept = recs(status['devices']).filter((device) => now.has(keyOf(device)) || !before.has(keyOf(device)));
  if (kept.length === 0) delete status['devices'];
  else status['devices'] = kept;
}
