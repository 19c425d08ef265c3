/**
 * Measures members beside a flood, in a process that the flood does not keep busy: what to measure comes on standard
 * input, results go out when that ends.
 */
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { Measures, type Measured } from './flood-measures.js';

interface Order {
  readonly members: readonly Measured[];
  readonly settle_ms: number;
}

/** Before everything that is measured. */
const NICE = -15;
try {
  setPriority(0, NICE);
} catch {
  // Without that right the time for which this process waits is counted all the same.
}

const alive = setInterval(() => undefined, 60_000);
let measures: Measures | undefined;
let settle_ms = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  settle_ms = order.settle_ms;
  measures = new Measures(order.members);
}
process.stdout.write(`${JSON.stringify((await measures?.stop(settle_ms)) ?? [])}\n`);
clearInterval(alive);
