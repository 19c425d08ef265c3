/**
 * What built-in resources do that no row of the scheme can say: one file per group, each a list of records. The only
 * place of the API server that knows resources by name. To give a resource behaviour: a record in its group's file.
 */
import type { ResourceRecord } from '../registry/record.js';
import { apiextensionsRecords } from './apiextensions.js';
import { certificateRecords } from './certificates.js';
import { coreRecords } from './core.js';
import type { RecordParts } from './parts.js';
import { reviewRecords } from './reviews.js';

export type { RecordParts, ReviewParts, ServiceNetwork } from './parts.js';

export function builtInRecords(parts: RecordParts): ResourceRecord[] {
  return [coreRecords, reviewRecords, certificateRecords, apiextensionsRecords].flatMap((recordsOf) =>
    recordsOf(parts),
  );
}
