/**
 * What a check of a value found, and how much of it fits: of several alternatives the one that fits best is told about.
 */
import { FIELD_ERRORS_MAX } from '../status.js';
import type { FieldError } from '../status.js';

export interface Finding {
  readonly error: FieldError;
  /** What is said; the same is not said twice. */
  readonly text: string;
}

export class ValueResult {
  readonly findings: Finding[] = [];
  #matches = 0;

  get matches(): number {
    return this.#matches;
  }

  get isValid(): boolean {
    return this.findings.length === 0;
  }

  /** What is wrong a hundred times is not looked at further. */
  get isFull(): boolean {
    return this.findings.length >= FIELD_ERRORS_MAX;
  }

  count(): void {
    this.#matches += 1;
  }

  add(finding: Finding): void {
    if (!this.isFull && !this.findings.some(({ text }) => text === finding.text)) this.findings.push(finding);
  }

  merge(other: ValueResult): void {
    for (const finding of other.findings) this.add(finding);
    this.#matches += other.matches;
  }

  /** The same, with nothing wrong: what was so before an update is let be (KEP-4008). */
  forgiven(): ValueResult {
    const result = new ValueResult();
    result.#matches = this.#matches;
    return result;
  }
}
