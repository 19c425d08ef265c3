/** The member thread's end of the port: frames in, calls on the core, frames out. */
import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../../../platform/clock.js';
import type { Slices } from '../../../platform/slices.js';
import { RaftError } from '../../../raft/contract.js';
import type { MembershipChange, NodeId } from '../../../raft/contract.js';
import type { StoreHead } from '../backend/backend.js';
import type { WatchHandle } from '../watch/sink.js';
import { ByteReader } from '../bytes.js';
import { KVS_FIELD } from '../mvcc/encoded-kvs.js';
import type { KvsField } from '../mvcc/encoded-kvs.js';
import { LIMITS } from '../limits.js';
import { decodeCommand, readRange } from '../mvcc/commands.js';
import type { CommandResult, KvTxnResult } from '../mvcc/operations.js';
import { isPacked, pagesOf } from '../mvcc/packed-results.js';
import { StoreError } from '../store.js';
import type { KeyValue, WatchBatch } from '../store.js';
import { packCall, packIds, unpackCall } from './calls.js';
import type { CallName, Calls } from './calls.js';
import type { MemberCore } from './core.js';
import {
  readWatch,
  REQUEST,
  RESPONSE,
  writeAhead,
  writeBatch,
  writeError,
  writePacked,
  writeRangeResult,
  writeResult,
} from './frames.js';
import type { SpillOptions } from './long-reads.js';
import { messageBytes, Outbox } from './outbox.js';
import type { PortMessage } from './outbox.js';
import { PagesAhead } from './pages-ahead.js';
import { storeErrorOf } from './raft-errors.js';

export class MemberHost {
  readonly #port: MessagePort;
  readonly #outbox: Outbox;
  readonly #onClosed: () => void;
  readonly #watches = new Map<number, WatchHandle>();
  /** Snapshots that are being saved. */
  readonly #saves = new Map<number, AsyncIterator<Uint8Array>>();
  readonly #pages: PagesAhead;
  #lastSave = 0;
  #lastBatch: WatchBatch | undefined;

  /** `onClosed` is called once the core has been closed on the other side's request and told so. */
  constructor(
    port: MessagePort,
    clock: Clock,
    { onClosed, pages }: { readonly onClosed: () => void; readonly pages?: PagesAhead },
  ) {
    this.#port = port;
    this.#pages = pages ?? new PagesAhead(LIMITS.pagesAhead_bytes, LIMITS.pagesAheadOfWrites_bytes);
    this.#outbox = new Outbox(port, clock);
    this.#onClosed = onClosed;
  }

  serve(core: MemberCore): void {
    this.#port.on('message', (message: PortMessage) => this.#onMessage(core, message));
    this.sendHead(core.head, core.revision);
  }

  /** `revision`: the newest known, 0 when it does not matter. */
  sendHead(head: StoreHead, revision = 0): void {
    this.#outbox.send(0, RESPONSE.head, (writer) => writer.varint(revision).text(packCall(head)));
  }

  sendFatal(error: Error): void {
    this.#outbox.send(0, RESPONSE.fatal, (writer) =>
      writer.text(packCall({ code: error instanceof RaftError ? error.code : undefined, message: error.message })),
    );
    this.#outbox.flush();
  }

  #onMessage(core: MemberCore, message: PortMessage): void {
    const reader = new ByteReader(messageBytes(message));
    while (reader.remaining > 0) {
      const frame = reader.raw(reader.u32());
      const id = frame.readUInt32LE(0);
      const type = frame[4] ?? 0;
      this.#onFrame(core, id, type, frame.subarray(5));
    }
  }

  #onFrame(core: MemberCore, id: number, type: number, payload: Buffer): void {
    switch (type) {
      case REQUEST.propose:
        core.proposeBytes(payload).then(
          (result) => this.#answer(core, id, result),
          (error: unknown) => this.#fail(id, error),
        );
        break;
      case REQUEST.readTxn:
        this.#readTxn(core, payload, this.#spillOf(id)).then(
          (txn) => this.#outbox.send(id, RESPONSE.result, (writer) => writeResult(writer, { kind: 'txn', txn })),
          (error: unknown) => this.#fail(id, error),
        );
        break;
      case REQUEST.range:
        core.range(readRange(new ByteReader(payload)), this.#spillOf(id)).then(
          (range) => this.#outbox.send(id, RESPONSE.range, (writer) => writeRangeResult(writer, range)),
          (error: unknown) => this.#fail(id, error),
        );
        break;
      case REQUEST.readRevision:
        core.readRevision().then(
          (revision) => this.#outbox.send(id, RESPONSE.revision, (writer) => writer.varint(revision)),
          (error: unknown) => this.#fail(id, error),
        );
        break;
      case REQUEST.keepAlive:
        core.leaseKeepAlive(new ByteReader(payload).i64()).then(
          (result) => this.#answer(core, id, result),
          (error: unknown) => this.#fail(id, error),
        );
        break;
      case REQUEST.watch:
        this.#openWatch(core, id, payload);
        break;
      case REQUEST.grant:
        this.#watches.get(id)?.grant(new ByteReader(payload).varint());
        break;
      case REQUEST.progress:
        this.#watches.get(id)?.requestProgress();
        break;
      case REQUEST.cancel:
        this.#watches.get(id)?.cancel();
        this.#watches.delete(id);
        break;
      case REQUEST.release:
        this.#pages.release(id);
        break;
      case REQUEST.call:
        this.#onCall(core, id, payload.toString('utf8'));
        break;
      default:
        throw new StoreError('corrupt', `unknown frame ${type} between threads`);
    }
  }

  #spillOf(id: number): Required<Pick<SpillOptions, 'spill' | 'pace'>> {
    return {
      spill: (kvs, attempt) => this.#sendAhead(id, kvs, { attempt, field: KVS_FIELD.range }),
      pace: { isFull: () => this.#pages.isFull(id), room: () => this.#pages.room(id) },
    };
  }

  #sendAhead(
    id: number,
    kvs: readonly KeyValue[],
    place: { readonly attempt: number; readonly field: KvsField },
  ): void {
    this.#outbox.send(id, RESPONSE.kvs, (writer) => {
      const start = writer.length;
      writeAhead(writer, kvs, place);
      this.#pages.add(id, place.attempt, writer.length - start);
    });
  }

  *#sendPages(id: number, result: CommandResult): Slices<void> {
    for (const page of pagesOf(result)) {
      this.#outbox.send(id, RESPONSE.kvs, (writer) => writePacked(writer, page));
      yield;
    }
  }

  async #readTxn(core: MemberCore, payload: Buffer, options: SpillOptions): Promise<KvTxnResult> {
    const command = decodeCommand(payload);
    if (command.kind !== 'txn') throw new StoreError('corrupt', 'only a transaction can be read as one');
    return core.readTxn(command.txn, options);
  }

  #answer(core: MemberCore, id: number, result: CommandResult): void {
    const send = (whole: CommandResult) =>
      this.#outbox.send(id, RESPONSE.result, (writer) => writeResult(writer, whole));
    if (!isPacked(result)) {
      send(result);
      return;
    }
    let bytes = 0;
    for (const page of pagesOf(result)) bytes += page.bytes.length;
    if (!this.#pages.take(id, bytes)) {
      this.#fail(
        id,
        new StoreError(
          'unknown-outcome',
          'etcdserver: the transaction was applied, but its answer is too long to be kept beside those that clients have not taken yet',
        ),
      );
      return;
    }
    core.longWork(this.#sendPages(id, result)).then(
      () => send(result),
      (error: unknown) => {
        this.#pages.release(id);
        this.#fail(id, error);
      },
    );
  }

  #openWatch(core: MemberCore, id: number, payload: Buffer): void {
    try {
      const handle = core.openWatch(readWatch(new ByteReader(payload)), {
        takesParts: true,
        onBatch: (batch) => {
          if (batch === this.#lastBatch) {
            this.#outbox.send(id, RESPONSE.again);
            return;
          }
          this.#lastBatch = batch;
          this.#outbox.send(id, RESPONSE.batch, (writer) => writeBatch(writer, batch));
        },
        onEnd: (error) => {
          this.#watches.delete(id);
          this.#outbox.send(id, RESPONSE.end, (writer) => writeError(writer, error));
        },
      });
      this.#watches.set(id, handle);
    } catch (error) {
      this.#outbox.send(id, RESPONSE.end, (writer) => writeError(writer, storeErrorOf(error)));
    }
  }

  #onCall(core: MemberCore, id: number, text: string): void {
    const { name, argument } = unpackCall(text) as { name: CallName; argument: unknown };
    this.#call(core, { id, name, argument }).then(
      (value) => {
        this.#outbox.send(id, RESPONSE.json, (writer) => writer.text(packCall(value)));
        if (name === 'close') this.#close();
      },
      (error: unknown) => {
        this.#fail(id, error);
        if (name === 'close') this.#close();
      },
    );
  }

  async #call(
    core: MemberCore,
    { id, name, argument }: { readonly id: number; readonly name: CallName; readonly argument: unknown },
  ): Promise<unknown> {
    switch (name) {
      case 'status':
        return core.status();
      case 'raftStatus':
        return core.raftStatus();
      case 'transferLeadership':
        return core.transferLeadership(argument as NodeId);
      case 'changeMembership':
        return core.changeMembership(argument as MembershipChange);
      case 'hash':
        return core.hash(argument as number);
      case 'leaseInfo': {
        const { id: lease, keys } = argument as Calls['leaseInfo'][0];
        return core.leaseInfo(lease, { keys, ...this.#spillOf(id) });
      }
      case 'leases':
        return packIds(await core.leases());
      case 'alarms':
        return core.alarms();
      case 'changeAlarm': {
        const { action, alarm } = argument as Calls['changeAlarm'][0];
        return core.changeAlarm(action, alarm);
      }
      case 'reclaim':
        return core.reclaim();
      case 'saveBegin': {
        const save = ++this.#lastSave;
        this.#saves.set(save, core.saveSnapshot(argument === 'etcd' ? { format: 'etcd' } : {})[Symbol.asyncIterator]());
        return save;
      }
      case 'saveNext':
        return this.#nextOfSave(argument as number);
      case 'saveEnd': {
        const save = this.#saves.get(argument as number);
        this.#saves.delete(argument as number);
        await save?.return?.();
        return undefined;
      }
      case 'close':
        return core.close();
      default:
        return name satisfies never;
    }
  }

  async #nextOfSave(id: number): Promise<Uint8Array | null> {
    const next = await this.#saves.get(id)?.next();
    return next === undefined || next.done === true ? null : next.value;
  }

  #close(): void {
    this.#outbox.close();
    this.#onClosed();
  }

  #fail(id: number, error: unknown): void {
    this.#outbox.send(id, RESPONSE.error, (writer) => writeError(writer, storeErrorOf(error)));
  }
}
