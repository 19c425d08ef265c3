/** A watch of one namespace's ConfigMaps that goes on over the death of members, and notes every event in its order. */
import { configMaps } from '../../apimachinery/gen/resources.js';
import type { Client } from '../../sdk/client.js';
import { sleep } from './until.js';

export class WatchRecord {
  /** Names, in the order in which ADDED events came. */
  readonly added: string[] = [];
  readonly versions: number[] = [];
  resumptions = 0;
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;

  constructor(client: Client, namespace: string, resourceVersion: string) {
    this.#done = this.#run(client, namespace, resourceVersion);
  }

  /** Resumes from the last version seen and from nowhere else: a relist would hide a gap. */
  async #run(client: Client, namespace: string, since: string): Promise<void> {
    let resourceVersion = since;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        for await (const { type, object } of client.watch(configMaps, { namespace, resourceVersion, signal })) {
          resourceVersion = object.metadata?.resourceVersion ?? resourceVersion;
          if (type === 'ADDED') {
            this.added.push(object.metadata?.name ?? '');
            this.versions.push(Number(resourceVersion));
          }
        }
      } catch {
        if (signal.aborted) break;
      }
      this.resumptions++;
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the test is over'));
    await this.#done;
  }
}
