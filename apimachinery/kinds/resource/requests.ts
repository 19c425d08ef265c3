/**
 * How constraints, configuration and results refer to the requests of a claim: by name, or by those of a request and
 * one of its alternatives.
 */
import { dns1123Label } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { field, recs, str, strs } from '../lib/value.js';
import { eachOfSet } from './lists.js';

const REQUESTS_MAX = 32;

export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

export const requestNames = (devices: unknown): RequestNames =>
  new Map(
    recs(field(devices, 'requests')).map((request) => [
      str(request['name']),
      new Set(recs(request['firstAvailable']).map(({ name }) => str(name))),
    ]),
  );

const UNKNOWN_REQUEST =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

export function validateRequestRef(complaints: Complaints, ref: string, path: string, names: RequestNames): void {
  const [request = '', alternative, ...more] = ref.split('/');
  if (more.length > 0) return complaints.invalid(path, ref, UNKNOWN_REQUEST);
  for (const part of [request, ...(alternative === undefined ? [] : [alternative])])
    complaints.form(path, part, dns1123Label);
  const known = names.get(request);
  if (known === undefined || (alternative !== undefined && !known.has(alternative)))
    complaints.invalid(path, ref, UNKNOWN_REQUEST);
}

export function validateRequestRefs(complaints: Complaints, refs: unknown, path: string, names: RequestNames): void {
  eachOfSet(complaints, strs(refs), { path, max: REQUESTS_MAX, keyOf: (ref) => ref }, (ref, here) =>
    validateRequestRef(complaints, ref, here, names),
  );
}
