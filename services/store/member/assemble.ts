/** Puts a member together on the thread it is to run on: state machine, Raft, core. */
import { join } from 'node:path';
import type { Clock } from '../../../platform/clock.js';
import { reserveFile } from '../../../platform/disk/reserve.js';
import type { DiskReserve } from '../../../platform/disk/reserve.js';
import { createLogger } from '../../../platform/log.js';
import type { Random } from '../../../platform/random.js';
import { startMemoryMember, startRaftMember } from '../../../raft/index.js';
import type { PeerTls } from '../../../raft/index.js';
import type { StoreHead } from '../backend/backend.js';
import { KvStateMachine } from '../disk/state-machine.js';
import { LIMITS } from '../limits.js';
import { COMMAND_LEVEL } from '../mvcc/commands.js';
import { MemberCore } from './core.js';
import type { RaftFactory } from './core.js';
import type { InlineMemberOptions, StoreMemberData } from './options.js';

export interface MemberSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly onHead?: (head: StoreHead) => void;
  readonly onFatal?: (error: Error) => void;
}

/** `tls` is asked anew at each connection, so that certificates can be exchanged. */
export function assembleMember(data: StoreMemberData, tls: PeerTls, around: MemberSurroundings): Promise<MemberCore> {
  const { clusterId, id, name, peers, dataDir, listen } = data;
  const { clock, random } = around;
  const logger = createLogger('store', data.log);
  const reserve_bytes = data.diskReserve_bytes ?? LIMITS.diskReserve_bytes;
  const reserve = reserve_bytes === 0 ? undefined : reserveFile(join(dataDir, 'reserve'), reserve_bytes);
  return assemble(data, { ...around, ...(reserve === undefined ? {} : { reserve }) }, (stateMachine, events) =>
    startRaftMember({
      clusterId,
      id,
      name,
      peers,
      dataDir,
      listen,
      tls,
      stateMachine,
      events,
      clock,
      random,
      logger,
      level: COMMAND_LEVEL,
      join: data.join ?? false,
      ...(data.raft === undefined ? {} : { settings: data.raft }),
    }),
  );
}

export function assembleInlineMember(data: InlineMemberOptions): Promise<MemberCore> {
  const { clusterId, id, name, peers, clock, random, network, raftLog } = data;
  const logger = createLogger('store', data.log);
  return assemble(data, data, (stateMachine, events) =>
    startMemoryMember({
      clusterId,
      id,
      name,
      peers,
      network,
      log: raftLog,
      stateMachine,
      events,
      clock,
      random,
      logger,
      level: COMMAND_LEVEL,
      ...(data.raft === undefined ? {} : { settings: data.raft }),
    }),
  );
}

type Common = Pick<
  StoreMemberData,
  'dataDir' | 'autoCompaction' | 'hotValues_bytes' | 'quota_bytes' | 'request_bytes' | 'hashCheck_ms'
>;

async function assemble(
  data: Common,
  around: MemberSurroundings & { readonly reserve?: DiskReserve },
  startRaft: RaftFactory,
): Promise<MemberCore> {
  const { clock, random, onHead, onFatal, reserve } = around;
  const machine = await KvStateMachine.open({
    directory: join(data.dataDir, 'state'),
    clock,
    packs: true,
    ...(data.hotValues_bytes === undefined ? {} : { hotValues_bytes: data.hotValues_bytes }),
  });
  try {
    return await MemberCore.start({
      machine,
      startRaft,
      clock,
      random,
      ...(data.autoCompaction === undefined ? {} : { autoCompaction: data.autoCompaction }),
      ...(data.quota_bytes === undefined ? {} : { quota_bytes: data.quota_bytes }),
      ...(data.request_bytes === undefined ? {} : { request_bytes: data.request_bytes }),
      ...(data.hashCheck_ms === undefined ? {} : { hashCheck_ms: data.hashCheck_ms }),
      ...(reserve === undefined ? {} : { reserve }),
      ...(onHead === undefined ? {} : { onHead }),
      ...(onFatal === undefined ? {} : { onFatal }),
    });
  } catch (error) {
    await machine.close();
    throw error;
  }
}
