/** Tables of access control, admission, certificates, extension and coordination. */
import type { KubeObject } from '../../object.js';
import type { Printer } from '../../kind.js';
import { conditionOf } from '../lib/conditions.js';
import { humanDuration } from '../lib/duration.js';
import { absent, at, field, list, num, optionalNum, recs, str, unset } from '../lib/value.js';
import { AGE, CREATED_AT, NAME, boolean, integer, printerOf, text, wide } from './columns.js';

export const createdAtPrinter: Printer = printerOf(NAME, CREATED_AT);

function subjects(object: KubeObject, kind: string): string {
  return recs(field(object, 'subjects'))
    .filter((subject) => subject['kind'] === kind)
    .map((subject) =>
      kind === 'ServiceAccount' ? `${str(subject['namespace'])}/${str(subject['name'])}` : str(subject['name']),
    )
    .join(', ');
}

/** RoleBindings and ClusterRoleBindings. */
export const bindingPrinter: Printer = printerOf(
  NAME,
  text('Role', (object) => `${str(at(object, 'roleRef', 'kind'))}/${str(at(object, 'roleRef', 'name'))}`),
  AGE,
  wide(text('Users', (object) => subjects(object, 'User'))),
  wide(text('Groups', (object) => subjects(object, 'Group'))),
  wide(text('ServiceAccounts', (object) => subjects(object, 'ServiceAccount'))),
);

/** `Approved,Issued` and the like: the decision, then what came of it. */
function certificateRequestState(object: KubeObject): string {
  const types = new Set(recs(at(object, 'status', 'conditions')).map((condition) => str(condition['type'])));
  const decision = types.has('Denied') ? 'Denied' : types.has('Approved') ? 'Approved' : 'Pending';
  return `${decision}${types.has('Failed') ? ',Failed' : ''}${unset(at(object, 'status', 'certificate')) ? '' : ',Issued'}`;
}

export const certificateSigningRequestPrinter: Printer = printerOf(
  NAME,
  AGE,
  text('SignerName', (object) => str(at(object, 'spec', 'signerName'))),
  text('Requestor', (object) => str(at(object, 'spec', 'username'))),
  text('RequestedDuration', (object) => {
    const seconds = optionalNum(at(object, 'spec', 'expirationSeconds'));
    return seconds === undefined ? '<none>' : humanDuration(seconds * 1000);
  }),
  text('Condition', certificateRequestState),
);

export const webhookConfigurationPrinter: Printer = printerOf(
  NAME,
  integer('Webhooks', (object) => list(field(object, 'webhooks')).length),
  AGE,
);

function paramKind(object: KubeObject): string {
  const kind = at(object, 'spec', 'paramKind');
  return absent(kind) ? '<unset>' : `${str(field(kind, 'apiVersion'))}/${str(field(kind, 'kind'))}`;
}

export const admissionPolicyPrinter: Printer = printerOf(
  NAME,
  integer('Validations', (object) => list(at(object, 'spec', 'validations')).length),
  text('ParamKind', paramKind),
  AGE,
);

export const mutatingPolicyPrinter: Printer = printerOf(
  NAME,
  integer('Mutations', (object) => list(at(object, 'spec', 'mutations')).length),
  text('ParamKind', paramKind),
  AGE,
);

function paramRef(object: KubeObject): string {
  const ref = at(object, 'spec', 'paramRef');
  if (absent(ref)) return '<unset>';
  const namespace = str(field(ref, 'namespace'));
  const name = str(field(ref, 'name')) || '*';
  return namespace === '' ? name : `${namespace}/${name}`;
}

export const admissionPolicyBindingPrinter: Printer = printerOf(
  NAME,
  text('PolicyName', (object) => str(at(object, 'spec', 'policyName'))),
  text('ParamRef', paramRef),
  AGE,
);

function apiService(object: KubeObject): string {
  const service = at(object, 'spec', 'service');
  return absent(service) ? 'Local' : `${str(field(service, 'namespace'))}/${str(field(service, 'name'))}`;
}

function available(object: KubeObject): string {
  const condition = conditionOf(object, 'Available');
  if (condition === undefined) return 'Unknown';
  return condition['status'] === 'True' ? 'True' : `${str(condition['status'])} (${str(condition['reason'])})`;
}

export const apiServicePrinter: Printer = printerOf(
  NAME,
  text('Service', apiService),
  text('Available', available),
  AGE,
);

export const leasePrinter: Printer = printerOf(
  NAME,
  text('Holder', (object) => str(at(object, 'spec', 'holderIdentity'))),
  AGE,
);

export const priorityClassPrinter: Printer = printerOf(
  NAME,
  integer('Value', (object) => num(field(object, 'value'))),
  boolean('Global-Default', (object) => field(object, 'globalDefault') === true),
  AGE,
  text('PreemptionPolicy', (object) => str(field(object, 'preemptionPolicy')) || 'PreemptLowerPriority'),
);

export const runtimeClassPrinter: Printer = printerOf(
  NAME,
  text('Handler', (object) => str(field(object, 'handler'))),
  AGE,
);

const precedence = (object: KubeObject): number => num(at(object, 'spec', 'matchingPrecedence'));

const flowSchemaColumns: Printer = printerOf(
  NAME,
  text('PriorityLevel', (object) => str(at(object, 'spec', 'priorityLevelConfiguration', 'name'))),
  text('MatchingPrecedence', precedence),
  text('DistinguisherMethod', (object) => str(at(object, 'spec', 'distinguisherMethod', 'type')) || '<none>'),
  AGE,
  text('MissingPL', (object) => str(conditionOf(object, 'Dangling')?.['status']) || '?'),
);

/** In the order in which they are tried. */
export const flowSchemaPrinter: Printer = {
  ...flowSchemaColumns,
  compare: (a, b) => precedence(a) - precedence(b) || (str(a.metadata?.name) < str(b.metadata?.name) ? -1 : 1),
};

/** A number, though its column is one of texts. */
const limited = (object: KubeObject, ...path: readonly string[]): unknown =>
  at(object, 'spec', 'limited', ...path) ?? '<none>';

export const priorityLevelPrinter: Printer = printerOf(
  NAME,
  text('Type', (object) => str(at(object, 'spec', 'type'))),
  text('NominalConcurrencyShares', (object) => limited(object, 'nominalConcurrencyShares')),
  text('Queues', (object) => limited(object, 'limitResponse', 'queuing', 'queues')),
  text('HandSize', (object) => limited(object, 'limitResponse', 'queuing', 'handSize')),
  text('QueueLengthLimit', (object) => limited(object, 'limitResponse', 'queuing', 'queueLengthLimit')),
  AGE,
);

function claimState(object: KubeObject): string {
  const states: string[] = [];
  if (!absent(at(object, 'metadata', 'deletionTimestamp'))) states.push('deleted');
  if (absent(at(object, 'status', 'allocation'))) {
    if (absent(at(object, 'metadata', 'deletionTimestamp'))) states.push('pending');
  } else {
    states.push('allocated');
    if (list(at(object, 'status', 'reservedFor')).length > 0) states.push('reserved');
  }
  return states.join(',');
}

export const resourceClaimPrinter: Printer = printerOf(NAME, text('State', claimState), AGE);
export const resourceSlicePrinter: Printer = printerOf(
  NAME,
  text('Node', (object) => str(at(object, 'spec', 'nodeName'))),
  text('Driver', (object) => str(at(object, 'spec', 'driver'))),
  text('Pool', (object) => str(at(object, 'spec', 'pool', 'name'))),
  AGE,
);
