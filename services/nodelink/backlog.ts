/**
 * What a worker has reported and is not written yet: of the node and of each pod the newest report only, and its
 * Events. Bounded in bytes, whatever the worker sends; who goes over loses the session, and reports all of it again in
 * the next.
 */
import { Buffer } from 'node:buffer';
import { parseJsonBytes } from '../../apimachinery/json-value.js';
import type { PodStatus } from '../../apimachinery/gen/types.js';
import type { EventReport, PodReport } from '../../proto/gen/navarch/node/v1/node.js';
import type { NodeReport } from './node-writer.js';
import type { PodRef } from './pod-writer.js';

/** The largest request that the store takes: no larger status could be written. */
const REPORT_BYTES_MAX = 1.5 * 2 ** 20;
const WAITING_BYTES_MAX = 16 * 2 ** 20;
/** Of one entry beside what it holds. */
const ENTRY_BYTES = 512;
/** Events of a node that may wait; more are dropped, as kubelet does. */
const EVENTS_MAX = 500;
const EVENT_MESSAGE_LENGTH_MAX = 1024;
/** Of an Event's names and reason together; the API takes no longer ones. */
const EVENT_NAMES_LENGTH_MAX = 4096;

/** A report that can never be written: it is dropped, and the next may be better. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
}

export interface PodEntry {
  readonly ref: PodRef;
  /** JSON of the status; empty when there is none to write. */
  readonly status: Uint8Array;
  readonly ended: boolean;
}

export type Waiting =
  | { readonly kind: 'node'; readonly report: Uint8Array }
  | { readonly kind: 'pod'; readonly entry: PodEntry }
  | { readonly kind: 'event'; readonly event: EventReport };

const sizeOf = ({ ref, status }: PodEntry) =>
  status.length + ref.namespace.length + ref.name.length + ref.uid.length + ENTRY_BYTES;

export class Backlog {
  readonly #pods = new Map<string, PodEntry>();
  readonly #events: EventReport[] = [];
  #node: Uint8Array | undefined;
  #lastNode: Uint8Array | undefined;
  #pod_bytes = 0;

  /** Throws ReportError for more than may wait. */
  node(report: Uint8Array): void {
    checkSize('node', report);
    this.#node = report;
    this.#lastNode = report;
  }

  /** The node's last report is to be written once more. */
  nodeAgain(): void {
    this.#node ??= this.#lastNode;
  }

  /** Throws ReportError for more than may wait. */
  pod({ namespace, name, uid, status }: PodReport): void {
    checkSize('pod', status);
    this.#set({ ref: { namespace, name, uid }, status, ended: this.#pods.get(uid)?.ended ?? false });
  }

  /** Throws ReportError for more than may wait. */
  podEnded({ namespace, name, uid }: PodRef): void {
    this.#set({ ref: { namespace, name, uid }, status: this.#pods.get(uid)?.status ?? new Uint8Array(), ended: true });
  }

  event(event: EventReport): void {
    const { namespace, podName, podUid, fieldPath, reason, message } = event;
    const names = namespace.length + podName.length + podUid.length + fieldPath.length + reason.length;
    if (this.#events.length >= EVENTS_MAX || names > EVENT_NAMES_LENGTH_MAX) return;
    // A slice keeps the whole text: a copy does not.
    const isLong = message.length > EVENT_MESSAGE_LENGTH_MAX;
    this.#events.push(
      isLong ? { ...event, message: Buffer.from(message.slice(0, EVENT_MESSAGE_LENGTH_MAX)).toString() } : event,
    );
  }

  /** The node before pods, pods before Events. */
  take(): Waiting | undefined {
    const report = this.#node;
    if (report !== undefined) {
      this.#node = undefined;
      return { kind: 'node', report };
    }
    const [entry] = this.#pods.values();
    if (entry !== undefined) {
      this.#delete(entry.ref.uid);
      return { kind: 'pod', entry };
    }
    const event = this.#events.shift();
    return event === undefined ? undefined : { kind: 'event', event };
  }

  /**
   * What could not be written waits again, unless something newer does. An Event is not worth holding up statuses for.
   */
  again(waiting: Waiting): void {
    if (waiting.kind === 'node') this.#node ??= waiting.report;
    if (waiting.kind !== 'pod') return;
    const newer = this.#pods.get(waiting.entry.ref.uid);
    this.#set(newer === undefined ? waiting.entry : { ...newer, ended: newer.ended || waiting.entry.ended });
  }

  clear(): void {
    this.#pods.clear();
    this.#events.length = 0;
    this.#pod_bytes = 0;
    this.#node = undefined;
    this.#lastNode = undefined;
  }

  #set(entry: PodEntry): void {
    this.#delete(entry.ref.uid);
    if (this.#pod_bytes + sizeOf(entry) > WAITING_BYTES_MAX) {
      throw new ReportError(
        `reports of more than ${WAITING_BYTES_MAX} bytes wait to be written; report again in a new session`,
      );
    }
    this.#pods.set(entry.ref.uid, entry);
    this.#pod_bytes += sizeOf(entry);
  }

  #delete(uid: string): void {
    const entry = this.#pods.get(uid);
    if (entry === undefined) return;
    this.#pods.delete(uid);
    this.#pod_bytes -= sizeOf(entry);
  }
}

function checkSize(what: string, report: Uint8Array): void {
  if (report.length > REPORT_BYTES_MAX)
    throw new ReportError(`a report of a ${what} has ${report.length} bytes, and may have at most ${REPORT_BYTES_MAX}`);
}

/** Throws ReportError. */
export function readNodeReport(json: Uint8Array): NodeReport {
  const { labels, status } = readObject(json);
  if (!isObject(labels) || !isObject(status))
    throw new ReportError('a node\'s report must have the objects "labels" and "status"');
  checkConditions(status);
  return { labels: labels as NodeReport['labels'], status };
}

/** Throws ReportError. */
export function readPodStatus(json: Uint8Array): PodStatus {
  const status = readObject(json);
  checkConditions(status);
  return status;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readObject(json: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJsonBytes(json);
  } catch (error) {
    throw new ReportError(`a report must be JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isObject(value)) throw new ReportError('a report must be a JSON object');
  return value;
}

function checkConditions({ conditions }: Record<string, unknown>): void {
  const fits =
    conditions === undefined || (Array.isArray(conditions) && conditions.every((condition) => isObject(condition)));
  if (!fits) throw new ReportError('the conditions of a report must be a list of objects');
}
