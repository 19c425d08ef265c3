/** Pod Security levels, versions and the policy that a namespace's labels give (Kubernetes' Pod Security Admission). */
import { fieldErrors, type FieldError } from '../../../../apimachinery/status.js';

const LEVELS = ['privileged', 'baseline', 'restricted'] as const;
export type Level = (typeof LEVELS)[number];

/** A minor version of Kubernetes 1.x whose rules apply; `latest` is newer than all. */
export const LATEST = Number.POSITIVE_INFINITY;

export interface LevelVersion {
  readonly level: Level;
  readonly minor: number;
}

export interface Policy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

const MODES = ['enforce', 'audit', 'warn'] as const;
const LABEL_PREFIX = 'pod-security.kubernetes.io/';
const UNRESTRICTED: LevelVersion = { level: 'privileged', minor: LATEST };

export const levelVersionText = ({ level, minor }: LevelVersion): string =>
  `${level}:${minor === LATEST ? 'latest' : `v1.${minor}`}`;
export const sameLevelVersion = (a: LevelVersion, b: LevelVersion): boolean =>
  a.level === b.level && a.minor === b.minor;
export const isStricter = (a: Level, b: Level): boolean => LEVELS.indexOf(a) > LEVELS.indexOf(b);

function parseLevel(text: string): Level | undefined {
  return LEVELS.find((level) => level === text);
}

function parseMinor(text: string): number | undefined {
  if (text === 'latest') return LATEST;
  const minor = /^v1\.(0|[1-9][0-9]*)$/.exec(text)?.[1];
  return minor === undefined ? undefined : Number(minor);
}

type Labels = Readonly<Record<string, string>>;

/** One label: absent, good, or a complaint in `errors` and the value that is safe for its mode. */
function readLabel<T>(
  labels: Labels,
  name: string,
  how: {
    readonly parse: (text: string) => T | undefined;
    readonly safe: T;
    readonly why: string;
    readonly errors: FieldError[];
  },
): T | undefined {
  const label = LABEL_PREFIX + name;
  if (!Object.hasOwn(labels, label)) return undefined;
  const text = labels[label] ?? '';
  const value = how.parse(text);
  if (value === undefined) how.errors.push(fieldErrors.invalid(`metadata.labels[${label}]`, text, how.why));
  return value ?? how.safe;
}

function readMode(labels: Labels, mode: (typeof MODES)[number], errors: FieldError[]): Partial<LevelVersion> {
  const safe: Level = mode === 'enforce' ? 'restricted' : 'privileged';
  const level = readLabel(labels, mode, {
    parse: parseLevel,
    safe,
    why: `must be one of ${LEVELS.join(', ')}`,
    errors,
  });
  const minor = readLabel(labels, `${mode}-version`, {
    parse: parseMinor,
    safe: LATEST,
    why: 'must be "latest" or "v1.x"',
    errors,
  });
  return { ...(level === undefined ? {} : { level }), ...(minor === undefined ? {} : { minor }) };
}

/**
 * The policy of a namespace. A label that cannot be read is an error, and counts as `restricted` and `latest` for
 * enforce, as `privileged` for audit and warn. Without a label for warn, it follows a stricter enforce.
 */
export function policyOf(labels: Labels = {}): { readonly policy: Policy; readonly errors: readonly FieldError[] } {
  const errors: FieldError[] = [];
  const enforce = { ...UNRESTRICTED, ...readMode(labels, 'enforce', errors) };
  const audit = { ...UNRESTRICTED, ...readMode(labels, 'audit', errors) };
  const warn = readMode(labels, 'warn', errors);
  const follows = warn.level === undefined && parseLevel(labels[`${LABEL_PREFIX}enforce`] ?? '') !== undefined;
  return { policy: { enforce, audit, warn: { ...(follows ? enforce : UNRESTRICTED), ...warn } }, errors };
}

/** Nothing is refused and nothing is said. */
export const isFullyPrivileged = (policy: Policy): boolean =>
  MODES.every((mode) => policy[mode].level === 'privileged');
