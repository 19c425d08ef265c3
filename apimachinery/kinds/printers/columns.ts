/** Builds printers: one array of columns, each with its cell, so that a cell can never slip under another header. */
import type { KubeObject } from '../../object.js';
import type { Printer, PrinterColumn } from '../../kind.js';
import { translateTimestampSince } from '../lib/duration.js';
import { at, str, scalarText } from '../lib/value.js';

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly wide?: boolean;
  cell(object: KubeObject, now_ms: number): unknown;
}

export const text = (name: string, cell: Column['cell']): Column => ({ name, type: 'string', cell });
export const integer = (name: string, cell: Column['cell']): Column => ({ name, type: 'integer', cell });
export const boolean = (name: string, cell: Column['cell']): Column => ({ name, type: 'boolean', cell });
export const wide = (column: Column): Column => ({ ...column, wide: true });

export const nameOf = (object: KubeObject): string => str(at(object, 'metadata', 'name'));

/** The first column of every table. Its format tells clients which cell identifies the row. */
export const NAME: Column = { name: 'Name', type: 'string', format: 'name', cell: nameOf };
export const AGE: Column = text('Age', (object, now_ms) =>
  translateTimestampSince(at(object, 'metadata', 'creationTimestamp'), now_ms),
);
export const CREATED_AT: Column = {
  name: 'Created At',
  type: 'date',
  cell: (object) => str(at(object, 'metadata', 'creationTimestamp')),
};

export function orNone(value: unknown): string {
  return str(value) === '' ? '<none>' : str(value);
}

export function orUnset(value: unknown): string {
  return value === undefined || value === null ? '<unset>' : scalarText(value);
}

/** A printer of these columns. */
export function printerOf(...columns: readonly Column[]): Printer {
  const heads: PrinterColumn[] = columns.map(({ name, type, format, wide: isWide }) => ({
    name,
    type,
    ...(format === undefined ? {} : { format }),
    priority: isWide === true ? 1 : 0,
  }));
  return { columns: heads, row: (object, now_ms) => columns.map((column) => column.cell(object, now_ms)) };
}

/** NAME and AGE: for kinds that have nothing more to show. */
export const defaultPrinter: Printer = printerOf(NAME, AGE);
