/**
 * A message of the stream of writes is judged by its bytes before it is made into objects: two bytes are a write, and
 * 16 MiB of them would hold the thread.
 */
import { status } from '@grpc/grpc-js';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { WriteServiceService } from '../../../proto/gen/navarch/store/v1/write.js';
import type { WriteRequest } from '../../../proto/gen/navarch/store/v1/write.js';
import { EtcdError } from '../etcd/errors.js';
import { RefusedRequest } from '../etcd/requests.js';

export interface WriteLimits {
  /** Of a message, and so of each write in it. */
  readonly message_bytes: number;
  /** Writes of a message. */
  readonly writes: number;
}

const OPERATIONS = 1;

/** Undefined: it is read; what is wrong in it shows then. */
function refusalOfWrites(bytes: Uint8Array, { message_bytes, writes }: WriteLimits): EtcdError | undefined {
  if (bytes.length > message_bytes)
    return new EtcdError(
      status.RESOURCE_EXHAUSTED,
      `a message of writes has ${bytes.length} bytes; at most ${message_bytes} are taken: send more messages`,
    );
  return countOf(bytes, writes + 1) > writes
    ? new EtcdError(status.RESOURCE_EXHAUSTED, `a message has more than ${writes} writes: send more messages`)
    : undefined;
}

/** Operations in the message, up to `enough` of them; those before what is not protobuf. */
function countOf(bytes: Uint8Array, enough: number): number {
  const reader = new BinaryReader(bytes);
  let count = 0;
  try {
    while (reader.pos < bytes.length && count < enough) {
      const [field, type] = reader.tag();
      if (field === OPERATIONS && type === WireType.LengthDelimited) count++;
      reader.skip(type);
    }
  } catch {
    // Whoever reads it says so.
  }
  return count;
}

export type JudgedRequest = WriteRequest | RefusedRequest;

/** The service, whose handler may get a `RefusedRequest` in the place of a message: a stream ends with that error. */
export function judgedDefinition(limits: WriteLimits) {
  const { write } = WriteServiceService;
  return {
    write: {
      ...write,
      requestDeserialize: (bytes: Buffer): JudgedRequest => {
        const refusal = refusalOfWrites(bytes, limits);
        return refusal === undefined ? write.requestDeserialize(bytes) : new RefusedRequest(refusal);
      },
    },
  };
}
