/** Issue 6, row 35: the election timeout by option, with etcd's names and bounds. */
import { expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../raft/driver/options.js';
import { parseTiming } from './raft-timing.js';

const timing = (heartbeatInterval: string, electionTimeout: string) =>
  parseTiming({ heartbeatInterval, electionTimeout });

it('takes the defaults as they are, and scales what depends on them', () => {
  const { heartbeat_ms, election_ms, takeover_ms } = DEFAULT_SETTINGS;
  expect(timing(String(heartbeat_ms), String(election_ms))).toEqual({ heartbeat_ms, election_ms, takeover_ms });
  expect(timing('200', '2000')).toEqual({ heartbeat_ms: 200, election_ms: 2000, takeover_ms: 120 });
});

it.each([
  ['9', '600', 'at least 10 ms'],
  ['100', '499', 'at least 5 times'],
  ['50', '50001', 'at most 50000 ms'],
  ['50ms', '600', 'number of milliseconds'],
  ['50', '', 'number of milliseconds'],
])('refuses %s and %s: %s', (heartbeat, election, why) => {
  expect(() => timing(heartbeat, election)).toThrow(why);
});
