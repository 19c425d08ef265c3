/**
 * Warnings of one request, for the headers of its answer: also of one that fails, since what was found before is true
 * all the same.
 */
import type { CallReport } from '../../../apimachinery/object-service.js';

/** Collects what a call reports. */
export class Report implements CallReport {
  readonly warnings = new Set<string>();
  isCreated = false;

  warn(message: string): void {
    this.warnings.add(message);
  }

  created(): void {
    this.isCreated = true;
  }

  headers(): Record<string, string | readonly string[]> {
    return this.warnings.size === 0 ? {} : { warning: shortened([...this.warnings]).map(warningHeader) };
  }
}

/** What kube-apiserver sends at most: clients refuse headers beyond some size. */
const WARNINGS_LENGTH_MAX = 4096;
const WARNING_LENGTH_SHORT = 256;

/** All of them if they fit; else each is cut, and what then fits is sent. */
function shortened(messages: readonly string[]): readonly string[] {
  const lengthOf = (all: readonly string[]): number => all.reduce((sum, { length }) => sum + length, 0);
  if (lengthOf(messages) <= WARNINGS_LENGTH_MAX) return messages;
  const sent: string[] = [];
  for (const message of messages) {
    const short = message.slice(0, WARNING_LENGTH_SHORT);
    if (lengthOf(sent) + short.length > WARNINGS_LENGTH_MAX) break;
    sent.push(short);
  }
  return sent;
}

/** RFC 7234, section 5.5: `299 - "text"`. Node writes a header's characters as bytes: these are those of UTF-8. */
function warningHeader(message: string): string {
  const text = message.replaceAll(/\p{Cc}/gu, '?').replaceAll(/[\\"]/g, '\\$&');
  return `299 - "${Buffer.from(text).toString('latin1')}"`;
}
