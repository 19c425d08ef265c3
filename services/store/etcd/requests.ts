/**
 * Requests are judged by their bytes before they are made into objects: what is refused for its size must cost no more
 * than to look at it. The handler gets a `RefusedRequest` in the place of a request that is too much, and answers with
 * its error.
 */
import { status } from '@grpc/grpc-js';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { tooManyOpsError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { StoreError } from '../store.js';
import { EtcdError } from './errors.js';

/** What etcd takes beyond the size of a request, for what stands around it. */
const OVERHEAD_BYTES = 512 * 1024;

export class RefusedRequest {
  readonly error: EtcdError | StoreError;

  constructor(error: EtcdError | StoreError) {
    this.error = error;
  }
}

export interface RequestLimits {
  readonly request_bytes: number;
  /** Operations of a transaction's first level. */
  readonly txnOps: number;
}

const TXN_PATH = '/etcdserverpb.KV/Txn';

/** The same service; its unary methods may get a `RefusedRequest`. */
export function withLimits(definition: ServiceDefinition, limits: RequestLimits): ServiceDefinition {
  return Object.fromEntries(Object.entries(definition).map(([name, method]) => [name, limited(method, limits)]));
}

function limited<Q, R>(method: MethodDefinition<Q, R>, limits: RequestLimits): MethodDefinition<Q | RefusedRequest, R> {
  const bytes_max = limits.request_bytes + OVERHEAD_BYTES;
  const check = method.path === TXN_PATH ? (bytes: Buffer) => refusalOfTxn(bytes, limits.txnOps) : () => undefined;
  return {
    ...method,
    requestSerialize: method.requestSerialize as MethodDefinition<Q | RefusedRequest, R>['requestSerialize'],
    requestDeserialize: (bytes) => {
      const refusal =
        bytes.length > bytes_max
          ? new EtcdError(
              status.RESOURCE_EXHAUSTED,
              `grpc: received message larger than max (${bytes.length} vs. ${bytes_max})`,
            )
          : check(bytes);
      if (refusal === undefined) return method.requestDeserialize(bytes);
      // There is no answer to a single message of a stream: the stream ends.
      if (method.requestStream) throw refusal;
      return new RefusedRequest(refusal);
    },
  };
}

// Numbers of fields: TxnRequest's guards and branches, and RequestOp's nested transaction.
const COMPARE = 1;
const SUCCESS = 2;
const FAILURE = 3;
const NESTED = 4;

/** Why a TxnRequest is not even read. Undefined: it is; what is wrong in it shows then. */
export function refusalOfTxn(bytes: Uint8Array, ops_max: number): StoreError | EtcdError | undefined {
  const counter = new OpsCounter(ops_max);
  try {
    counter.txn(new BinaryReader(bytes), bytes.length, 0);
  } catch (error) {
    // Anything else is not protobuf: who reads it says so.
    return error === TOO_DEEP
      ? new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: transactions are nested too deep')
      : error === TOO_MANY
        ? tooManyOpsError()
        : undefined;
  }
  return undefined;
}

const TOO_MANY = new Error('too many operations');
const TOO_DEEP = new Error('nested too deep');

class OpsCounter {
  readonly #ops_max: number;
  #total = 0;

  constructor(ops_max: number) {
    this.#ops_max = ops_max;
  }

  txn(reader: BinaryReader, end: number, depth: number): void {
    if (depth > LIMITS.txnDepth) throw TOO_DEEP;
    const counts = [0, 0, 0, 0];
    while (reader.pos < end) {
      const [field, type] = reader.tag();
      if (type !== WireType.LengthDelimited || field < COMPARE || field > FAILURE) {
        reader.skip(type);
        continue;
      }
      const count = (counts[field] ?? 0) + 1;
      counts[field] = count;
      this.#total++;
      // What levels inside may have depends on this one's: that is judged when it is read.
      if (count > this.#ops_max || this.#total > LIMITS.clientTxnOpsTotal) throw TOO_MANY;
      const length = reader.uint32();
      if (field === SUCCESS || field === FAILURE) this.#op(reader, reader.pos + length, depth);
      else reader.pos += length;
    }
  }

  #op(reader: BinaryReader, end: number, depth: number): void {
    while (reader.pos < end) {
      const [field, type] = reader.tag();
      if (field === NESTED && type === WireType.LengthDelimited)
        this.txn(reader, reader.uint32() + reader.pos, depth + 1);
      else reader.skip(type);
    }
  }
}
