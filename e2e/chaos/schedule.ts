/**
 * What is done to the members, and when: from a seed, the same for the same seed. What it meets depends on the machine;
 * so a replay does the same things again, not the same things at the same instruction.
 *
 * Faults are drawn from a bag that is filled again when it is empty: a short run meets most kinds once before any kind
 * twice.
 */
import { seededRandom, type Random } from '../../platform/random.js';

/** Against processes, links and disks; over when they are healed. Two may meet in one episode. */
export const TRANSIENT = [
  'kill',
  'kill while it starts',
  'graceful restart',
  'pause',
  'symmetric partition',
  'one-way partition',
  'isolation',
  'unplugged',
  'full disk',
  'hung disk',
  'slow disk',
  'leader transfer',
] as const;
/** Against a member's data or membership: they need the others, and come alone. */
export const GRAVE = ['corrupt files', 'old data directory', 'replacement'] as const;

export type TransientKind = (typeof TRANSIENT)[number];
type GraveKind = (typeof GRAVE)[number];
export type FaultKind = TransientKind | GraveKind;

/** Whom it meets; resolved when it happens. `pick` in [0, 1) chooses among those that fit. */
export interface Victims {
  readonly who: 'leader' | 'follower' | 'two' | 'all';
  readonly pick: number;
}

export interface Fault {
  readonly kind: FaultKind;
  readonly victims: Victims;
}

export interface Episode {
  readonly number: number;
  readonly faults: readonly Fault[];
  /** How long the faults stay. */
  readonly hold_ms: number;
  /** Undisturbed time before the next one. */
  readonly rest_ms: number;
  /** The next one does not wait until somebody gets on. */
  readonly hurried: boolean;
}

export interface ScheduleOptions {
  readonly seed: number;
  /** Kinds that this machine can do. */
  readonly kinds: readonly FaultKind[];
}

/** Kinds for which it makes sense to meet more than one member at once. */
const MANY: ReadonlySet<FaultKind> = new Set([
  'kill',
  'kill while it starts',
  'pause',
  'unplugged',
  'full disk',
  'hung disk',
  'slow disk',
]);
const isGrave = (kind: FaultKind) => (GRAVE as readonly FaultKind[]).includes(kind);

function victimsOf(kind: FaultKind, random: Random): Victims {
  const [draw, pick] = [random.next(), random.next()];
  if (isGrave(kind)) return { who: draw < 0.4 ? 'leader' : 'follower', pick };
  if (MANY.has(kind) && draw < 0.3) return { who: draw < 0.15 ? 'two' : 'all', pick };
  return { who: draw < 0.7 ? 'leader' : 'follower', pick };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.int(left.length), 1)[0] as T);
}

/** Without end. */
export function* schedule({ seed, kinds }: ScheduleOptions): Generator<Episode, never> {
  const random = seededRandom(seed);
  const transient = kinds.filter((kind) => !isGrave(kind));
  let bag: FaultKind[] = [];
  for (let number = 1; ; number++) {
    if (bag.length === 0) bag = shuffled(kinds, random);
    const kind = bag.pop() as FaultKind;
    const faults: Fault[] = [{ kind, victims: victimsOf(kind, random) }];
    // Troubles come together.
    const second = transient[random.int(transient.length)] as FaultKind;
    const together = random.next() < 0.35 && !isGrave(kind) && second !== kind;
    const victims = victimsOf(second, random);
    if (together) faults.push({ kind: second, victims });
    yield { number, faults, hold_ms: 500 + random.int(3000), rest_ms: 300 + random.int(1500), hurried: false };
  }
}

/** Kills alone: of leaders, followers, two, all; now and then before the last ones have come back. */
export function* killings(seed: number): Generator<Episode, never> {
  const random = seededRandom(seed);
  for (let number = 1; ; number++) {
    const draw = random.next();
    const who = draw < 0.45 ? 'leader' : draw < 0.75 ? 'follower' : draw < 0.88 ? 'two' : 'all';
    const kind = random.next() < 0.2 ? 'kill while it starts' : 'kill';
    yield {
      number,
      faults: [{ kind, victims: { who, pick: random.next() } }],
      hold_ms: random.int(400),
      rest_ms: random.int(600),
      hurried: random.next() < 0.2,
    };
  }
}

export const describeEpisode = ({ number, faults, hold_ms }: Episode): string =>
  `${number}: ${faults.map(({ kind, victims }) => `${kind} (${victims.who})`).join(' and ')}, ${hold_ms} ms`;
