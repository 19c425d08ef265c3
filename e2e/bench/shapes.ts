/**
 * The loads of etcd's own benchmark that are no single unary call: STM, keep-alives of leases, watches that are made.
 */
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  LeaseGrantRequest,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  PutRequest,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchRequest,
} from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { Cluster } from './clusters.js';
import { Deframer, frame } from './grpc-wire.js';
import type { Connection } from './grpc-wire.js';
import { keyOf, RANGE, TXN, value, WATCH } from './load.js';
import { connectAll, loop } from './loop.js';
import type { Done, LoadResult, Step } from './loop.js';

const GRANT = '/etcdserverpb.Lease/LeaseGrant';
const KEEP_ALIVE = '/etcdserverpb.Lease/LeaseKeepAlive';
/** gRPC's code of it. */
const LEASE_EXISTS = ': 9 ';
const LEASES = 1000;
const LEASE_TTL_S = 60;
/** Few enough that transactions meet each other now and then. */
const STM_KEYS = 1000;

export type Shape = 'stm' | 'keep-alive' | 'keep-alive-once' | 'watch-create';

export interface ShapeOptions {
  readonly clients: number;
  readonly connections: number;
  readonly seconds: number;
}

export async function shapeLoad(cluster: Cluster, shape: Shape, options: ShapeOptions): Promise<LoadResult> {
  if (shape === 'keep-alive' || shape === 'keep-alive-once') await grantLeases(cluster);
  return loop(cluster, { ...options, client: CLIENTS[shape] });
}

const CLIENTS: Readonly<Record<Shape, (connection: Connection, place: number) => Step>> = {
  stm: stm,
  'keep-alive': keepAlive,
  'keep-alive-once': keepAliveOnce,
  'watch-create': watchCreate,
};

/**
 * Read, change, write unless somebody else was faster; then again. One operation is what a caller waits for: all
 * attempts.
 */
function stm(connection: Connection, place: number): Step {
  let turn = 0;
  const attempt = (key: Buffer, done: Done) =>
    connection.unary(RANGE, frame(RangeRequest.encode(RangeRequest.fromPartial({ key })).finish()), (error, answer) => {
      if (error !== undefined) done(error);
      else commit(key, RangeResponse.decode(answer).kvs[0]?.modRevision ?? 0, done);
    });
  const commit = (key: Buffer, seen: number, done: Done) =>
    connection.unary(
      TXN,
      frame(
        TxnRequest.encode(
          TxnRequest.fromPartial({
            compare: [
              {
                key,
                target: Compare_CompareTarget.MOD,
                result: Compare_CompareResult.EQUAL,
                targetUnion: { $case: 'modRevision', value: seen },
              },
            ],
            success: [{ request: { $case: 'requestPut', value: PutRequest.fromPartial({ key, value }) } }],
            failure: [{ request: { $case: 'requestRange', value: RangeRequest.fromPartial({ key }) } }],
          }),
        ).finish(),
      ),
      (error, answer) => {
        if (error !== undefined) done(error);
        else if (TxnResponse.decode(answer).succeeded) done();
        else attempt(key, done);
      },
    );
  return (done) => attempt(keyOf((place * 7919 + turn++ * 613) % STM_KEYS), done);
}

const leaseId = (n: number) => BigInt(1_000_000 + (n % LEASES));

/** Whoever has them already is content. */
async function grantLeases(cluster: Cluster): Promise<void> {
  const [connection] = await connectAll(cluster, 1);
  if (connection === undefined) return;
  await Promise.all(
    Array.from({ length: LEASES }, (_, n) =>
      connection
        .call(
          GRANT,
          LeaseGrantRequest.encode(LeaseGrantRequest.fromPartial({ ID: leaseId(n), TTL: LEASE_TTL_S })).finish(),
        )
        .catch((error: unknown) => {
          if (!String(error).includes(LEASE_EXISTS)) throw error;
        }),
    ),
  );
  connection.close();
}

/** Sends on a stream and waits for its answer, message by message. Whether an answer is right `check` says. */
class Conversation {
  #done: Done | undefined;
  readonly #stream;

  constructor(connection: Connection, path: string, check: (message: Buffer) => Error | undefined) {
    this.#stream = connection.open(path);
    const frames = new Deframer();
    this.#stream.on('error', () => undefined);
    this.#stream.on('data', (chunk: Buffer) => frames.take(chunk, (message) => this.#end(check(message))));
    this.#stream.on('close', () => this.#end(new Error(`${path}: the stream has ended`)));
  }

  ask(request: Buffer, done: Done): void {
    this.#done = done;
    this.#stream.write(request);
  }

  close(): void {
    this.#stream.end();
  }

  #end(error: Error | undefined): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(error);
  }
}

const keepAliveOf = (lease: number) => frame(LeaseKeepAliveRequest.encode({ ID: leaseId(lease) }).finish());
const checkTtl = (message: Buffer) =>
  LeaseKeepAliveResponse.decode(message).TTL === LEASE_TTL_S
    ? undefined
    : new Error('a lease that was to be renewed is gone');

/** One stream for each client, over which its leases are renewed in turn. */
function keepAlive(connection: Connection, place: number): Step {
  const conversation = new Conversation(connection, KEEP_ALIVE, checkTtl);
  let turn = 0;
  return (done) => conversation.ask(keepAliveOf(place * 61 + turn++), done);
}

/** As etcd's benchmark does it: a stream for each renewal. */
function keepAliveOnce(connection: Connection, place: number): Step {
  let turn = 0;
  return (done) => {
    const conversation = new Conversation(connection, KEEP_ALIVE, checkTtl);
    conversation.ask(keepAliveOf(place * 61 + turn++), (error) => {
      conversation.close();
      done(error);
    });
  };
}

/**
 * One stream for each client, on which it makes watches, each of a key of its own. They stay until the connection ends.
 */
function watchCreate(connection: Connection, place: number): Step {
  const conversation = new Conversation(connection, WATCH, () => undefined);
  let turn = 0;
  return (done) =>
    conversation.ask(
      frame(
        WatchRequest.encode(
          WatchRequest.fromPartial({
            requestUnion: { $case: 'createRequest', value: { key: keyOf(place * 10_000 + turn++) } },
          }),
        ).finish(),
      ),
      done,
    );
}
