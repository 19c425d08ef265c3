/** Ages as Kubernetes prints them (k8s.io/apimachinery/pkg/util/duration): two units while small, one when large. */

const SECONDS_PER_MINUTE = 60;
const SECONDS_PER_HOUR = 3600;
const HOURS_PER_DAY = 24;
const HOURS_PER_YEAR = 24 * 365;

function two(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;
}

/** `12s`, `3m20s`, `45m`, `5h10m`, `30h`, `3d4h`, `90d`, `2y30d`; `<invalid>` for more than a second in the future. */
export function humanDuration(duration_ms: number): string {
  if (!Number.isFinite(duration_ms)) return '<invalid>';
  const seconds = Math.trunc(duration_ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 2 * SECONDS_PER_MINUTE) return `${seconds}s`;
  const minutes = Math.trunc(seconds / SECONDS_PER_MINUTE);
  if (minutes < 10) return two(minutes, 'm', seconds % SECONDS_PER_MINUTE, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(seconds / SECONDS_PER_HOUR);
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / HOURS_PER_DAY);
  if (hours < HOURS_PER_DAY * 8) return two(days, 'd', hours % HOURS_PER_DAY, 'h');
  if (hours < HOURS_PER_YEAR * 2) return `${days}d`;
  const years = Math.trunc(hours / HOURS_PER_YEAR);
  return hours < HOURS_PER_YEAR * 8 ? two(years, 'y', days % 365, 'd') : `${years}y`;
}

/** Milliseconds since the epoch of an RFC 3339 time; undefined when it is none. */
export function timeOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  const time_ms = Date.parse(value);
  return Number.isNaN(time_ms) ? undefined : time_ms;
}

/** The age of a timestamp; `<unknown>` when there is none. */
export function translateTimestampSince(value: unknown, now_ms: number): string {
  const time_ms = timeOf(value);
  return time_ms === undefined ? '<unknown>' : humanDuration(now_ms - time_ms);
}
