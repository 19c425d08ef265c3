/**
 * What changed between two objects, as text: the unified form of diff with three lines of context, found as Python's
 * difflib finds it.
 */

const CONTEXT = 3;
/** More lines than this are not compared: the work grows with their product. */
const LINES_MAX = 1000;
/** A line that occurs more often than each hundredth is no anchor, in texts of at least so many lines. */
const POPULAR_FROM_LINES = 200;

interface Match {
  readonly a: number;
  readonly b: number;
  readonly size: number;
}

interface Range {
  readonly aFrom: number;
  readonly aTo: number;
  readonly bFrom: number;
  readonly bTo: number;
}

function placesOf(lines: readonly string[]): Map<string, number[]> {
  const places = new Map<string, number[]>();
  for (const [index, line] of lines.entries()) places.set(line, [...(places.get(line) ?? []), index]);
  if (lines.length < POPULAR_FROM_LINES) return places;
  for (const [line, at] of places) if (at.length > Math.floor(lines.length / 100) + 1) places.delete(line);
  return places;
}

/** The longest run of equal lines in the range, the earliest of equally long ones. */
function longestMatch(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  range: Range,
): Match {
  let best: Match = { a: range.aFrom, b: range.bFrom, size: 0 };
  let lengths = new Map<number, number>();
  for (let i = range.aFrom; i < range.aTo; i += 1) {
    const next = new Map<number, number>();
    for (const j of places.get(a[i] ?? '') ?? []) {
      if (j < range.bFrom) continue;
      if (j >= range.bTo) break;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, size);
      if (size > best.size) best = { a: i - size + 1, b: j - size + 1, size };
    }
    lengths = next;
  }
  let { a: i, b: j, size } = best;
  while (i > range.aFrom && j > range.bFrom && a[i - 1] === b[j - 1]) [i, j, size] = [i - 1, j - 1, size + 1];
  while (i + size < range.aTo && j + size < range.bTo && a[i + size] === b[j + size]) size += 1;
  return { a: i, b: j, size };
}

function matchesIn(a: readonly string[], b: readonly string[]): Match[] {
  const places = placesOf(b);
  const found: Match[] = [];
  const open: Range[] = [{ aFrom: 0, aTo: a.length, bFrom: 0, bTo: b.length }];
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const match = longestMatch(a, b, places, range);
    if (match.size === 0) continue;
    found.push(match);
    open.push(
      { ...range, aTo: match.a, bTo: match.b },
      { ...range, aFrom: match.a + match.size, bFrom: match.b + match.size },
    );
  }
  return [...found.sort((one, other) => one.a - other.a), { a: a.length, b: b.length, size: 0 }];
}

/** Places that differ, in order; those that only few equal lines part are told together. */
function hunksOf(a: readonly string[], b: readonly string[]): Range[][] {
  const hunks: Range[][] = [];
  let [i, j] = [0, 0];
  for (const match of matchesIn(a, b)) {
    if (match.a > i || match.b > j) {
      const last = hunks.at(-1)?.at(-1);
      const change = { aFrom: i, aTo: match.a, bFrom: j, bTo: match.b };
      if (last !== undefined && i - last.aTo <= 2 * CONTEXT) hunks.at(-1)?.push(change);
      else hunks.push([change]);
    }
    [i, j] = [match.a + match.size, match.b + match.size];
  }
  return hunks;
}

const span = (from: number, to: number): string =>
  to - from === 1 ? `${from + 1}` : `${to > from ? from + 1 : from},${to - from}`;

function hunkText(a: readonly string[], b: readonly string[], changes: readonly Range[]): string {
  const [first, last] = [changes[0], changes.at(-1)];
  if (first === undefined || last === undefined) return '';
  const before = Math.min(CONTEXT, first.aFrom, first.bFrom);
  const after = Math.min(CONTEXT, a.length - last.aTo);
  const lines = [
    `@@ -${span(first.aFrom - before, last.aTo + after)} +${span(first.bFrom - before, last.bTo + after)} @@`,
  ];
  let at = first.aFrom - before;
  for (const { aFrom, aTo, bFrom, bTo } of changes) {
    lines.push(
      ...a.slice(at, aFrom).map((line) => ` ${line}`),
      ...a.slice(aFrom, aTo).map((line) => `-${line}`),
      ...b.slice(bFrom, bTo).map((line) => `+${line}`),
    );
    at = aTo;
  }
  lines.push(...a.slice(at, at + after).map((line) => ` ${line}`));
  return `${lines.join('\n')}\n`;
}

/** JSON as Go prints it, one space for each level. */
const linesOf = (value: unknown): string[] =>
  JSON.stringify(value, null, 1)
    .replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`)
    .split('\n');

/** '' for values too large to compare. */
export function unifiedDiff(before: unknown, after: unknown): string {
  const [a, b] = [linesOf(before), linesOf(after)];
  if (a.length > LINES_MAX || b.length > LINES_MAX) return '';
  return hunksOf(a, b)
    .map((changes) => hunkText(a, b, changes))
    .join('');
}
