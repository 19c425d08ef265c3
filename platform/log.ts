/** Structured logging. Secrets and keys are never passed in; the redaction below is the second line of defence. */
import { pino } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** What every room logs through. `fields` first, as pino has it: `log.info({ node }, 'node registered')`. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export interface LogOptions {
  readonly level?: LogLevel;
  /** A file to append to; standard error when absent. */
  readonly file?: string;
}

export function createLogger(name: string, options: LogOptions = {}): Logger {
  const destination = pino.destination({ dest: options.file ?? 2, sync: true, mkdir: true, mode: 0o600 });
  return pino(
    {
      name,
      level: options.level ?? 'info',
      base: { name },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: ['token', 'password', 'key', 'privateKey', '*.token', '*.password', '*.privateKey'],
        censor: '[redacted]',
      },
    },
    destination,
  ) as unknown as Logger;
}

const nothing = () => undefined;

export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLogger,
};
