/** The group certificates.k8s.io. */
import type { ResourceRecord } from '../registry/record.js';
import { approvalMutation } from '../subresources/certificates.js';
import type { RecordParts } from './parts.js';

export function certificateRecords({ clock }: RecordParts): ResourceRecord[] {
  const resource = { group: 'certificates.k8s.io', resource: 'certificatesigningrequests' };
  return [{ resource, subresources: { approval: { mutation: approvalMutation(clock) } } }];
}
