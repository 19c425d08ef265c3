/**
 * How far V8 lets garbage pile up. By itself it collects when the heap is up to four times what was alive the last
 * time, on each thread: most of a member's memory would be garbage. At twice as much a put costs a tenth more than
 * without a limit, at half as much again a quarter more (docs/performance.md).
 */
import { setFlagsFromString } from 'node:v8';

const GROWTH_PERCENT = 100;

/** For the whole process, threads that start later included. To be called before there is much in memory. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
