/** Whether a CronJob's schedule can be read; the controller that runs it uses the same library. */
import { CronExpressionParser } from 'cron-parser';

const MACROS = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);
const LENGTH_MAX = 256;

/** Five fields or a macro; what is wrong otherwise. */
export function scheduleComplaints(schedule: string): string[] {
  const complaint = parseComplaint(schedule.replace(/^(CRON_)?TZ=\S+\s+/, ''));
  return [
    ...(complaint === undefined ? [] : [complaint]),
    ...(schedule.includes('TZ') ? ['cannot use TZ or CRON_TZ in schedule, use timeZone field instead'] : []),
  ];
}

function parseComplaint(schedule: string): string | undefined {
  if (schedule.length > LENGTH_MAX) return `must be no more than ${LENGTH_MAX} characters`;
  if (schedule.startsWith('@')) {
    return MACROS.has(schedule) || /^@every \S+$/.test(schedule) ? undefined : `unrecognized descriptor: ${schedule}`;
  }
  const fields = schedule.trim().split(/\s+/);
  if (fields.length !== 5) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  try {
    CronExpressionParser.parse(schedule);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'cannot be read as a schedule';
  }
}

/** `zone`: a name of the IANA data base. */
export function timeZoneComplaint(zone: string): string | undefined {
  if (zone === '') return 'timeZone must be nil or non-empty string';
  if (
    zone
      .split('/')
      .some((part) => part === '.' || part === '..' || part.startsWith('-') || !/^[A-Za-z0-9._+-]+$/.test(part))
  )
    return `unknown time zone ${zone}`;
  if (zone.toLowerCase() === 'local')
    return 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return undefined;
  } catch {
    return `unknown time zone ${zone}`;
  }
}
