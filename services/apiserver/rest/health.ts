/** `/livez`, `/readyz`, `/healthz`: named checks, `ok` or the list of what fails (k8s.io/apiserver, server/healthz). */
import type { RestResponse } from './message.js';

const KINDS = ['healthz', 'livez', 'readyz'] as const;
type HealthKind = (typeof KINDS)[number];

export interface HealthCheck {
  /** It may hold slashes, as `poststarthook/rbac/bootstrap-roles`. */
  readonly name: string;
  /** Where it counts; everywhere when absent. */
  readonly of?: readonly HealthKind[];
  /** Resolves when all is well; the error says what is not: shown to those who may ask for this check alone. */
  check(): Promise<void> | void;
}

export function isHealthPath(path: string): boolean {
  return kindOf(path) !== undefined;
}

/** `/livez`, and each check's own path below it. */
export function healthPaths(checks: readonly HealthCheck[]): string[] {
  return KINDS.flatMap((kind) => [`/${kind}`, ...checksOf(kind, checks).map(({ name }) => `/${kind}/${name}`)]);
}

/** `/readyz?verbose&exclude=name` and `/readyz/name`. */
export async function serveHealth(
  path: string,
  query: URLSearchParams,
  checks: readonly HealthCheck[],
): Promise<RestResponse> {
  const kind = kindOf(path) ?? 'healthz';
  const own = checksOf(kind, checks);
  const rest = path.slice(`/${kind}`.length);
  if (rest !== '') return serveOne(own.find(({ name }) => `/${name}` === rest));
  return serveAll(kind, query, own);
}

const kindOf = (path: string): HealthKind | undefined => KINDS.find((kind) => kind === path.split('/')[1]);

const checksOf = (kind: HealthKind, checks: readonly HealthCheck[]) =>
  checks.filter(({ of }) => of === undefined || of.includes(kind));

async function serveOne(check: HealthCheck | undefined): Promise<RestResponse> {
  if (check === undefined) return text(404, '404 page not found\n');
  const failure = await failureOf(check);
  return failure === undefined ? text(200, 'ok') : text(500, `internal server error: ${failure}\n`);
}

/** Reasons are withheld, as anybody may ask. */
async function serveAll(
  kind: HealthKind,
  query: URLSearchParams,
  checks: readonly HealthCheck[],
): Promise<RestResponse> {
  const excluded = new Set(query.getAll('exclude'));
  const results = await Promise.all(
    checks.map(async (check) => {
      if (excluded.has(check.name)) return { ok: true, line: `[+]${check.name} excluded: ok` };
      const ok = (await failureOf(check)) === undefined;
      return { ok, line: ok ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld` };
    }),
  );
  const healthy = results.every(({ ok }) => ok);
  if (healthy && !query.has('verbose')) return text(200, 'ok');
  const unknown = [...excluded].filter((name) => !checks.some((check) => check.name === name)).sort();
  const warning =
    unknown.length === 0
      ? []
      : [
          `warn: some health checks cannot be excluded: no matches for ${unknown.map((name) => JSON.stringify(name)).join(', ')}`,
        ];
  return text(
    healthy ? 200 : 500,
    `${[...results.map(({ line }) => line), ...warning].join('\n')}\n${kind} check ${healthy ? 'passed' : 'failed'}\n`,
  );
}

async function failureOf(check: HealthCheck): Promise<string | undefined> {
  try {
    await check.check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function text(status: number, body: string): RestResponse {
  return {
    status,
    body: Buffer.from(body),
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-cache, private',
      'x-content-type-options': 'nosniff',
    },
  };
}
