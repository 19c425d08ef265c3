/** Whether a CronJob's schedule can be read; the controller that runs it uses the same library. */
import { CronExpressionParser } from 'cron-parser';

const MACROS = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);
const LENGTH_MAX = 256;

/** Five fields or a macro; the complaint otherwise. */
export function scheduleComplaint(schedule: string): string | undefined {
  if (schedule.includes('TZ')) return 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
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
