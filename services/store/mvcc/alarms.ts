/** Alarms of the cluster, part of the replicated state: what they forbid is forbidden on every member alike. */
import type { ByteReader, ByteWriter } from '../bytes.js';
import { StoreError } from '../store.js';

/**
 * `nospace`, `disk`: nothing may grow until there is room below the quota, on this member's disk. `corrupt`: this
 * member's state differs from the others', it serves nobody.
 */
export type AlarmKind = 'nospace' | 'corrupt' | 'disk';

export interface Alarm {
  /** etcd's 64-bit id of the member it is about. */
  readonly member: bigint;
  readonly kind: AlarmKind;
}

export const ALARM_KINDS = ['nospace', 'corrupt', 'disk'] as const satisfies readonly AlarmKind[];

export class Alarms {
  /** By member and kind. */
  readonly #raised = new Map<string, Alarm>();

  get isEmpty(): boolean {
    return this.#raised.size === 0;
  }

  get all(): readonly Alarm[] {
    return [...this.#raised.values()];
  }

  has(kind: AlarmKind, member?: bigint): boolean {
    for (const alarm of this.#raised.values())
      if (alarm.kind === kind && (member === undefined || alarm.member === member)) return true;
    return false;
  }

  raise(alarm: Alarm): void {
    this.#raised.set(nameOf(alarm), alarm);
  }

  clear(alarm: Alarm): void {
    this.#raised.delete(nameOf(alarm));
  }
}

const nameOf = ({ member, kind }: Alarm) => `${member}/${kind}`;

export function writeAlarm(writer: ByteWriter, { member, kind }: Alarm): void {
  writer.u8(ALARM_KINDS.indexOf(kind)).i64(member);
}

export function readAlarm(reader: ByteReader): Alarm {
  const kind = ALARM_KINDS[reader.u8()];
  if (kind === undefined) throw new StoreError('corrupt', 'an alarm of unknown kind');
  return { kind, member: BigInt.asUintN(64, reader.i64()) };
}
