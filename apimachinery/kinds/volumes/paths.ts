/** Paths inside volumes: none may lead out of its volume, or into what the worker keeps there for itself. */
import type { Complaints } from '../lib/complaints.js';

export function noBacksteps(complaints: Complaints, path: string, value: string): void {
  if (value.split('/').includes('..')) complaints.invalid(path, value, "must not contain '..'");
}

/** A path below the volume's root. */
export function validateLocalPath(complaints: Complaints, path: string, value: string): void {
  if (value.startsWith('/')) complaints.invalid(path, value, 'must be a relative path');
  noBacksteps(complaints, path, value);
}

/**
 * A file that the worker writes: names that begin with two dots are the worker's own (the atomic writer's `..data`).
 */
export function validateFilePath(complaints: Complaints, path: string, value: string): void {
  validateLocalPath(complaints, path, value);
  if (value.startsWith('..') && !value.startsWith('../')) complaints.invalid(path, value, "must not start with '..'");
}
