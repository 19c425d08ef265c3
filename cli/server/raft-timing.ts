/** How patient members are with each other: etcd's two options, with its bounds. */
import { UserError } from '../../platform/user-error.js';

export interface TimingFlags {
  readonly heartbeatInterval: string;
  readonly electionTimeout: string;
}

export interface RaftTiming {
  readonly heartbeat_ms: number;
  readonly election_ms: number;
  readonly takeover_ms: number;
}

const HEARTBEAT_MS_MIN = 10;
const ELECTION_MS_MAX = 50_000;
/** A heartbeat or four may be late without an election. */
const HEARTBEATS_IN_ELECTION_MIN = 5;
/** Of candidates after a leader's death: more than a round trip and a write, which heartbeats are chosen for. */
const TAKEOVER_IN_HEARTBEAT = 0.6;

/** Throws UserError. */
export function parseTiming(flags: TimingFlags): RaftTiming {
  const heartbeat_ms = milliseconds(flags.heartbeatInterval, '--heartbeat-interval');
  const election_ms = milliseconds(flags.electionTimeout, '--election-timeout');
  if (heartbeat_ms < HEARTBEAT_MS_MIN)
    throw new UserError(`--heartbeat-interval must be at least ${HEARTBEAT_MS_MIN} ms, not ${heartbeat_ms}`, 2);
  if (election_ms < HEARTBEATS_IN_ELECTION_MIN * heartbeat_ms) {
    throw new UserError(
      `--election-timeout (${election_ms} ms) must be at least ${HEARTBEATS_IN_ELECTION_MIN} times --heartbeat-interval (${heartbeat_ms} ms)`,
      2,
    );
  }
  if (election_ms > ELECTION_MS_MAX)
    throw new UserError(`--election-timeout must be at most ${ELECTION_MS_MAX} ms, not ${election_ms}`, 2);
  return { heartbeat_ms, election_ms, takeover_ms: Math.round(heartbeat_ms * TAKEOVER_IN_HEARTBEAT) };
}

function milliseconds(text: string, flag: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new UserError(`${flag} must be a number of milliseconds, not "${text}"`, 2);
  return Number(text);
}
