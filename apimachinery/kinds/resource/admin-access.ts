/** Access to devices that others use too (KEP-5018): only in namespaces that an administrator has marked. */
import type { StrategyContext } from '../../kind.js';
import type { Complaints } from '../lib/complaints.js';
import { at, field, recs } from '../lib/value.js';

const MARK = 'resource.kubernetes.io/admin-access';

function requireMark(complaints: Complaints, path: string, context: StrategyContext | undefined): void {
  if (context?.namespaceLabels?.()[MARK] === 'true') return;
  complaints.forbidden(
    path,
    `admin access to devices requires the \`${MARK}: true\` label on the containing namespace`,
  );
}

/** Of the requests of a new claim, whose paths Kubernetes gives alike for claims and templates. */
export function validateAdminRequests(
  complaints: Complaints,
  spec: unknown,
  context: StrategyContext | undefined,
): void {
  const index = recs(at(spec, 'devices', 'requests')).findIndex(
    (request) => field(request['exactly'], 'adminAccess') === true,
  );
  if (index >= 0) requireMark(complaints, `spec.devices.requests[${index}].adminAccess`, context);
}

const adminResult = (allocation: unknown): number =>
  recs(at(allocation, 'devices', 'results')).findIndex((result) => result['adminAccess'] === true);

/** Of an allocation: what has been granted stays so. */
export function validateAdminResults(
  complaints: Complaints,
  allocation: unknown,
  before: unknown,
  context: StrategyContext | undefined,
): void {
  const index = adminResult(allocation);
  if (index >= 0 && adminResult(before) < 0)
    requireMark(complaints, `status.allocation.devices.results[${index}].adminAccess`, context);
}
