/** Samples by name, and the table of medians and ratios that they become. */

export type Samples = Map<string, number[]>;

export interface Aim {
  readonly name: string;
  /** Which way is better, and the ratio of ours to theirs that is aimed at. */
  readonly better: 'more' | 'less';
  readonly aim: number;
}

export function addSample(samples: Samples, name: string, value: number): void {
  const list = samples.get(name);
  if (list === undefined) samples.set(name, [value]);
  else list.push(value);
}

/** Undefined of nothing. */
export function median(values: readonly number[] | undefined): number | undefined {
  if (values === undefined || values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? NaN)) / 2;
}

const show = (value: number | undefined) =>
  value === undefined ? '-' : value >= 100 ? value.toFixed(0) : value.toFixed(2);

/** Rows of what was measured on either side; `yes` where the aim is met. */
export function renderTable(aims: readonly Aim[], ours: Samples, theirs: Samples): string {
  const rows = aims.flatMap(({ name, better, aim }) => {
    const a = median(ours.get(name));
    const b = median(theirs.get(name));
    if (a === undefined && b === undefined) return [];
    const ratio = a === undefined || b === undefined ? undefined : a === b ? 1 : a / b;
    const met = ratio === undefined ? '-' : (better === 'more' ? ratio >= aim : ratio <= aim) ? 'yes' : 'no';
    return [[name, show(a), show(b), show(ratio), `${better === 'more' ? '>=' : '<='} ${aim}`, met]];
  });
  const all = [['what', 'navarch', 'etcd', 'ratio', 'aim', 'met'], ...rows];
  const widths = (all[0] ?? []).map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
    )
    .join('\n');
}
