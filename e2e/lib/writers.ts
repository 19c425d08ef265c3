/**
 * Recorders of acknowledged writes. Each writer makes one new object after another, through kubectl, the SDK or
 * etcdctl, and notes what was acknowledged and when. A write that failed, or whose outcome is unknown, is not noted: it
 * may exist or not, and its name is never used again. After the faults, `lost` names what was acknowledged and is not
 * there.
 */
import { configMaps } from '../../apimachinery/gen/resources.js';
import { systemClock } from '../../platform/clock.js';
import type { Client } from '../../sdk/client.js';
import type { Etcdctl } from './etcdctl.js';
import type { Kubectl } from './kubectl.js';
import { sleep, until } from './until.js';

export interface Acknowledged {
  readonly name: string;
  readonly value: string;
  readonly at_ms: number;
}

export class Writer {
  readonly name: string;
  readonly acknowledged: Acknowledged[] = [];
  readonly failures: string[] = [];
  readonly #write: (name: string, value: string) => Promise<void>;
  readonly #done: Promise<void>;
  #stopping = false;

  /** `write` resolves when the write was acknowledged, and throws otherwise. */
  constructor(name: string, write: (name: string, value: string) => Promise<void>, pause_ms = 0) {
    this.name = name;
    this.#write = write;
    this.#done = this.#run(pause_ms);
  }

  async #run(pause_ms: number): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      const name = `${this.name}-${n}`;
      const value = `value of ${name}`;
      try {
        await this.#write(name, value);
        this.acknowledged.push({ name, value, at_ms: systemClock.monotonic() });
      } catch (error) {
        this.failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await sleep(pause_ms);
    }
  }

  /** Waits until at least `count` more writes have been acknowledged. */
  async progress(count: number, timeout_ms = 30_000): Promise<void> {
    const wanted = this.acknowledged.length + count;
    await until(`${this.name}: ${count} more writes`, () => this.acknowledged.length >= wanted, {
      timeout_ms,
      interval_ms: 20,
      show: () => Promise.resolve(this.failures.slice(-5).join('\n')),
    });
  }

  /**
   * The longest time without an acknowledgement, in milliseconds, from the last one before `since_ms` (monotonic) on.
   */
  longestGap(since_ms: number): number {
    const first = Math.max(
      0,
      this.acknowledged.findLastIndex(({ at_ms }) => at_ms <= since_ms),
    );
    const times_ms = this.acknowledged.slice(first).map(({ at_ms }) => at_ms);
    return Math.max(0, ...times_ms.slice(1).map((at_ms, i) => at_ms - (times_ms[i] ?? at_ms)));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  /** Acknowledged, but not in `found` with the value that was written. */
  lost(found: ReadonlyMap<string, string>): string[] {
    return this.acknowledged.filter(({ name, value }) => found.get(name) !== value).map(({ name }) => name);
  }
}

/** Holds the outcome back no longer than this: a call that hangs counts as not acknowledged. */
const CALL_SECONDS_MAX = 10;

/** ConfigMaps by kubectl; a kubeconfig names one member, so each failure moves on to the next one's address. */
export function kubectlWriter(
  kubectl: Kubectl,
  options: { readonly namespace: string; readonly servers: readonly string[]; readonly prefix?: string },
): Writer {
  const { namespace, servers, prefix = 'kubectl' } = options;
  let at = 0;
  return new Writer(prefix, async (name, value) => {
    const server = servers[at % servers.length] ?? '';
    const result = await kubectl.run(
      [
        '-n',
        namespace,
        '--server',
        server,
        '--request-timeout',
        `${CALL_SECONDS_MAX}s`,
        'create',
        'configmap',
        name,
        `--from-literal=value=${value}`,
      ],
      { timeout_ms: 2 * CALL_SECONDS_MAX * 1000 },
    );
    if (result.code === 0) return;
    at++;
    throw new Error(result.stderr);
  });
}

export function sdkWriter(client: Client, options: { readonly namespace: string; readonly prefix?: string }): Writer {
  const { namespace, prefix = 'sdk' } = options;
  return new Writer(
    prefix,
    async (name, value) => {
      await client.create(
        configMaps,
        { metadata: { name, namespace }, data: { value } },
        { signal: AbortSignal.timeout(CALL_SECONDS_MAX * 1000) },
      );
    },
    2,
  );
}

export function etcdctlWriter(
  etcdctl: Etcdctl,
  options: { readonly keyPrefix: string; readonly prefix?: string },
): Writer {
  const { keyPrefix, prefix = 'etcdctl' } = options;
  return new Writer(prefix, async (name, value) => {
    await etcdctl.ok(['--command-timeout', `${CALL_SECONDS_MAX}s`, 'put', `${keyPrefix}${name}`, value]);
  });
}

/** name -> value, of a namespace's ConfigMaps, as kubectl sees them. */
export async function configMapValues(kubectl: Kubectl, namespace: string): Promise<Map<string, string>> {
  interface List {
    readonly items: readonly {
      readonly metadata: { readonly name: string };
      readonly data?: { readonly value?: string };
    }[];
  }
  const { items } = await kubectl.json<List>(['-n', namespace, 'get', 'configmaps']);
  return new Map(items.map(({ metadata, data }) => [metadata.name, data?.value ?? '']));
}

/** name -> value, of the keys below a prefix, as etcdctl sees them. */
export async function keyValues(etcdctl: Etcdctl, keyPrefix: string): Promise<Map<string, string>> {
  interface Answer {
    readonly kvs?: readonly { readonly key: string; readonly value?: string }[];
  }
  const { kvs = [] } = JSON.parse(await etcdctl.ok(['get', keyPrefix, '--prefix', '-w', 'json'])) as Answer;
  const text = (base64 = '') => Buffer.from(base64, 'base64').toString();
  return new Map(kvs.map(({ key, value }) => [text(key).slice(keyPrefix.length), text(value)]));
}
