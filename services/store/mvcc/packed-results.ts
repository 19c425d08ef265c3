/**
 * Long lists in the results of transactions that write: such a result stands in memory from when it is applied until
 * its client has it, and as pages it takes a tenth of what objects would.
 */
import { decodeKvs, encodePage, PAGE_KVS } from './encoded-kvs.js';
import type { KvPage, KvsField } from './encoded-kvs.js';
import type { CommandResult, KvOpResult, KvTxnResult } from './operations.js';
import type { KeyValue } from '../store.js';

/** Stands in a result beside its list: the first keys and values of it, `spilled` in number. */
export interface Packed {
  readonly spilled?: number;
  readonly packed?: readonly KvPage[];
}

/** Collects a list: whole pages are encoded at once. */
export class Packer {
  readonly #field: KvsField;
  readonly #pages: KvPage[] = [];
  #kvs: KeyValue[] = [];

  constructor(field: KvsField) {
    this.#field = field;
  }

  /** A page, or the last of them. */
  readonly addPage = (kvs: readonly KeyValue[]): void => {
    this.#pages.push(encodePage(kvs, this.#field));
  };

  add(kv: KeyValue): void {
    if (this.#kvs.length === PAGE_KVS) {
      this.addPage(this.#kvs);
      this.#kvs = [];
    }
    this.#kvs.push(kv);
  }

  /** What is not in a page. */
  get rest(): readonly KeyValue[] {
    return this.#kvs;
  }

  get packed(): Packed {
    return this.#pages.length === 0
      ? {}
      : { packed: this.#pages, spilled: this.#pages.reduce((sum, { count }) => sum + count, 0) };
  }
}

const packedOf = (result: KvOpResult): Packed =>
  result.kind === 'range' ? (result.range as Packed) : (result as Packed);

/** All pages, in the order of their lists. */
export function* pagesOf(result: CommandResult): Generator<KvPage> {
  if (result.kind === 'txn') yield* pagesOfTxn(result.txn);
}

function* pagesOfTxn({ results }: KvTxnResult): Generator<KvPage> {
  for (const result of results) {
    if (result.kind === 'txn') yield* pagesOfTxn(result.txn);
    else yield* packedOf(result).packed ?? [];
  }
}

export function isPacked(result: CommandResult): boolean {
  return pagesOf(result).next().done !== true;
}

/** With whole lists. */
export const unpackResult = (result: CommandResult): CommandResult =>
  isPacked(result) && result.kind === 'txn' ? { kind: 'txn', txn: unpackTxn(result.txn) } : result;

const unpackTxn = (txn: KvTxnResult): KvTxnResult => ({ ...txn, results: txn.results.map(unpackOp) });

function unpackOp(result: KvOpResult): KvOpResult {
  const { packed = [] } = packedOf(result);
  switch (result.kind) {
    case 'put':
      return result;
    case 'delete':
      return { kind: 'delete', deleted: result.deleted, prevKvs: [...decodeKvs(packed), ...result.prevKvs] };
    case 'range': {
      const { count, more, revision, kvs } = result.range;
      return { kind: 'range', range: { count, more, revision, kvs: [...decodeKvs(packed), ...kvs] } };
    }
    case 'txn':
      return { kind: 'txn', txn: unpackTxn(result.txn) };
    default:
      return result satisfies never;
  }
}
