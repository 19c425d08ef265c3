/** The core group. */
import { completeStoredService } from '../allocation/ip-families.js';
import { NodeClaims } from '../allocation/node-claims.js';
import { ServiceClaims } from '../allocation/service-claims.js';
import { ipAddresses } from '../../../apimachinery/gen/resources.js';
import { present } from '../../../platform/assert.js';
import { tokenRequest } from '../auth/reviews.js';
import type { ResourceRecord } from '../registry/record.js';
import { storageKey } from '../registry/target.js';
import { componentStatusHandler } from '../subresources/component-status.js';
import { evictionHandler } from '../subresources/eviction.js';
import { finalizeMutation, namespaceDeletion } from '../subresources/namespaces.js';
import { bindingHandler, bindingMutation } from '../subresources/pods.js';
import type { RecordParts } from './parts.js';

const core = (resource: string) => ({ group: '', resource });

export function coreRecords(parts: RecordParts): ResourceRecord[] {
  return [
    {
      resource: core('pods'),
      subresources: {
        binding: { mutation: bindingMutation(parts.clock) },
        eviction: { handler: evictionHandler(parts) },
      },
    },
    { resource: core('bindings'), handler: bindingHandler((user) => parts.as(user)) },
    {
      resource: core('namespaces'),
      deletion: namespaceDeletion,
      subresources: { finalize: { mutation: finalizeMutation } },
    },
    { resource: core('componentstatuses'), handler: componentStatusHandler(parts) },
    ...networkRecords(parts),
    ...tokenRecords(parts),
  ];
}

function networkRecords({ network, reader, random, clock, scheme }: RecordParts): ResourceRecord[] {
  if (network === undefined) return [];
  const addresses = present(scheme.byResource(ipAddresses), 'the scheme has no IPAddresses');
  const claims = new ServiceClaims({
    ...network,
    reader,
    random,
    clock,
    addressPrefix: storageKey(addresses, undefined, ''),
  });
  return [
    { resource: core('services'), hooks: [claims], completion: completeStoredService },
    { resource: core('nodes'), hooks: [new NodeClaims()] },
  ];
}

function tokenRecords({ reviews, reader, clock, random }: RecordParts): ResourceRecord[] {
  if (reviews === undefined) return [];
  return [
    {
      resource: core('serviceaccounts'),
      subresources: { token: { handler: tokenRequest({ ...reviews, reader, clock, random }) } },
    },
  ];
}
