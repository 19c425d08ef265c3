/**
 * What a hollow container does: as whom its image runs, how long, with which exit code and output. Pure. The nearest
 * word counts: an annotation of the pod for the container, one for all its containers, a rule for the image, the
 * command, and then the default: what is meant to end ends well, anything else runs until it is stopped.
 */
import { parse } from 'yaml';
import type { ContainerSpec } from './runtime.js';
import { runHollowCommand } from './hollow-commands.js';

/** What pods may carry. With `.<container>` behind the name it is for that container alone. */
export const HOLLOW_ANNOTATIONS = {
  startDelay: 'hollow.navarch.dev/start-delay-ms',
  stopDelay: 'hollow.navarch.dev/stop-delay-ms',
  /** The containers end by themselves so long after their start; `never`: they do not. */
  exitAfter: 'hollow.navarch.dev/exit-after-ms',
  exitCode: 'hollow.navarch.dev/exit-code',
  /** Written to the log before the end. */
  output: 'hollow.navarch.dev/output',
  /** Creating the container fails with this message. */
  failCreate: 'hollow.navarch.dev/fail-create',
} as const;

export type Annotations = Readonly<Record<string, string>>;

/** For images whose name matches; the first that does counts. */
export interface HollowRule {
  /** `*` stands for any characters. */
  readonly image: string;
  /** The numeric user of the image. */
  readonly user?: number;
  readonly exitAfter_ms?: number | 'never';
  readonly exitCode?: number;
  readonly output?: string;
}

export interface HollowBehaviour {
  /** After its start; Infinity: until it is stopped. */
  readonly exitAfter_ms: number;
  readonly exitCode: number;
  readonly output: string;
}

/** Not root, so that pods with runAsNonRoot run: the user that distroless images call nonroot. */
const USER_DEFAULT = 65_532;
/** Images whose name says so run as root, as `example.test/root/web:1`. */
const ROOT_IMAGE = /(^|\/)root\//;
/** Long enough to be seen running. A container with an input is somebody's to end. */
const DURATIONS_MS = { init: 50, task: 1_000, service: Infinity } as const;

export function annotationOf(annotations: Annotations, key: string, container: string): string | undefined {
  return annotations[`${key}.${container}`] ?? annotations[key];
}

function ruleFor(image: string, rules: readonly HollowRule[]): HollowRule | undefined {
  return rules.find((rule) => matches(rule.image.split('*'), image));
}

/** Whether the text is these pieces in their order with anything between: linear, whatever a rule says. */
function matches([first = '', ...rest]: readonly string[], text: string): boolean {
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

export function hollowUser(image: string, rules: readonly HollowRule[]): number {
  return ruleFor(image, rules)?.user ?? (ROOT_IMAGE.test(image) ? 0 : USER_DEFAULT);
}

type Acting = Pick<ContainerSpec, 'name' | 'image' | 'command' | 'args' | 'env' | 'stdin' | 'lifetime'>;

export function behaviourOf(
  container: Acting,
  hostname: string,
  { annotations, rules }: { readonly annotations: Annotations; readonly rules: readonly HollowRule[] },
): HollowBehaviour {
  const said = (key: string) => annotationOf(annotations, key, container.name);
  const rule = ruleFor(container.image, rules);
  const ran =
    container.lifetime === 'service'
      ? undefined
      : runHollowCommand([...container.command, ...container.args], { hostname, env: container.env });
  const known = ran?.known === true ? ran : undefined;
  return {
    exitAfter_ms:
      timeOf(said(HOLLOW_ANNOTATIONS.exitAfter)) ??
      timeOf(rule?.exitAfter_ms) ??
      known?.duration_ms ??
      DURATIONS_MS[container.stdin ? 'service' : container.lifetime],
    exitCode: codeOf(said(HOLLOW_ANNOTATIONS.exitCode)) ?? rule?.exitCode ?? known?.code ?? 0,
    output: said(HOLLOW_ANNOTATIONS.output) ?? rule?.output ?? known?.output ?? '',
  };
}

function timeOf(value: string | number | undefined): number | undefined {
  if (value === 'never') return Infinity;
  return value !== undefined && value !== '' && Number(value) >= 0 ? Number(value) : undefined;
}

function codeOf(value: string | undefined): number | undefined {
  return /^\d{1,3}$/.test(value ?? '') ? Number(value) & 0xff : undefined;
}

const RULE_FIELDS: ReadonlySet<string> = new Set(['image', 'user', 'exitAfterMs', 'exitCode', 'output']);

/** A YAML list of rules, as docs/workers.md has them. Throws with a message for the user. */
export function parseHollowRules(text: string): HollowRule[] {
  const rules: unknown = parse(text, { maxAliasCount: 0 });
  if (!Array.isArray(rules)) throw new Error('the rules for hollow containers must be a YAML list');
  return rules.map((rule: unknown, index) => ruleOf(rule, `rule ${index + 1}`));
}

function ruleOf(value: unknown, where: string): HollowRule {
  if (typeof value !== 'object' || value === null)
    throw new Error(`${where} must be a map with image, and some of user, exitAfterMs, exitCode, output`);
  const { image, user, exitAfterMs, exitCode, output } = value as Record<string, unknown>;
  const unknown = Object.keys(value).find((field) => !RULE_FIELDS.has(field));
  if (unknown !== undefined)
    throw new Error(`${where} has a field "${unknown}"; there are ${[...RULE_FIELDS].join(', ')}`);
  if (typeof image !== 'string' || image === '') throw new Error(`${where} must name an image, as "*/migrate:*"`);
  if (output !== undefined && typeof output !== 'string') throw new Error(`output of ${where} must be a text`);
  const number = (field: string, given: unknown, most: number): number | undefined => {
    if (given === undefined) return undefined;
    if (typeof given !== 'number' || !Number.isInteger(given) || given < 0 || given > most)
      throw new Error(`${field} of ${where} must be a whole number up to ${most}`);
    return given;
  };
  const after = exitAfterMs === 'never' ? exitAfterMs : number('exitAfterMs', exitAfterMs, Number.MAX_SAFE_INTEGER);
  const code = number('exitCode', exitCode, 255);
  const id = number('user', user, 2 ** 31 - 1);
  return {
    image,
    ...(id === undefined ? {} : { user: id }),
    ...(after === undefined ? {} : { exitAfter_ms: after }),
    ...(code === undefined ? {} : { exitCode: code }),
    ...(typeof output === 'string' ? { output } : {}),
  };
}
