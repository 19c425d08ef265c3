/** `/livez`, `/readyz`, `/healthz`: named checks, `ok` or the list of what fails. */
import type { RestResponse } from './message.js';

export interface HealthCheck {
  readonly name: string;
  /** Resolves when all is well; the error says what is not (shown in the log alone). */
  check(): Promise<void> | void;
}

const PATHS = new Set(['healthz', 'livez', 'readyz']);

export function isHealthPath(path: string): boolean {
  return PATHS.has(path.split('/')[1] ?? '');
}

/** `/readyz?verbose&exclude=name` and `/readyz/name`. Reasons are withheld, as anybody may ask. */
export async function serveHealth(path: string, query: URLSearchParams, checks: readonly HealthCheck[]): Promise<RestResponse> {
  const [, kind = '', only] = path.split('/');
  const excluded = new Set(query.getAll('exclude'));
  const asked = checks.filter((check) => !excluded.has(check.name) && (only === undefined || only === '' || check.name === only));
  if (only !== undefined && only !== '' && asked.length === 0) return text(404, '404 page not found\n');
  const results = await Promise.all(asked.map(async (check) => ({ name: check.name, ok: await passes(check) })));
  const healthy = results.every((result) => result.ok);
  const lines = results.map(({ name, ok }) => (ok ? `[+]${name} ok` : `[-]${name} failed: reason withheld`));
  if (healthy && !query.has('verbose')) return text(200, 'ok');
  return text(healthy ? 200 : 500, `${lines.join('\n')}\n${kind} check ${healthy ? 'passed' : 'failed'}\n`);
}

async function passes(check: HealthCheck): Promise<boolean> {
  try {
    await check.check();
    return true;
  } catch {
    return false;
  }
}

function text(status: number, body: string): RestResponse {
  return {
    status, body: Buffer.from(body),
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache, private', 'x-content-type-options': 'nosniff' },
  };
}
