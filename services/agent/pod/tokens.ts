/** Service account tokens of one pod: fetched before its volumes are made, renewed at four fifths of their life. */
import { tokensOfPod } from '../../../apimachinery/node-objects/tokens.js';
import type { TokenNeed } from '../../../apimachinery/node-objects/tokens.js';
import type { PodEnvironment, Token } from './environment.js';
import type { PodKey } from '../pod-spec/spec.js';
import type { Pod } from '../pod-spec/types.js';

const RENEW_AT = 0.8;
/** Between attempts to renew what could not be had. */
const RETRY_MS = 10_000;

interface Held {
  readonly token: Token;
  readonly renewAt_ms: number;
}

export class PodTokens {
  readonly #environment: Pick<PodEnvironment, 'requestToken' | 'clock'>;
  readonly #held = new Map<string, Held>();
  #notBefore_ms = -Infinity;

  constructor(environment: Pick<PodEnvironment, 'requestToken' | 'clock'>) {
    this.#environment = environment;
  }

  get(need: TokenNeed): string | undefined {
    return this.#held.get(idOf(need))?.token.token;
  }

  /** Whether some token of the pod is missing or due, and it is time to ask. */
  due(pod: Pod): boolean {
    return this.#environment.clock.now() >= this.#notBefore_ms && tokensOfPod(pod).some((need) => this.#isDue(need));
  }

  /** Fetches what is due. Rejects when a token that is not there at all cannot be had. */
  async fetch(pod: Pod, key: PodKey): Promise<void> {
    for (const need of tokensOfPod(pod)) {
      if (!this.#isDue(need)) continue;
      const now_ms = this.#environment.clock.now();
      try {
        const token = await this.#environment.requestToken(key, need);
        this.#held.set(idOf(need), { token, renewAt_ms: now_ms + (token.expires_ms - now_ms) * RENEW_AT });
      } catch (error) {
        this.#notBefore_ms = now_ms + RETRY_MS;
        if (!this.#held.has(idOf(need))) throw error;
      }
    }
  }

  #isDue(need: TokenNeed): boolean {
    const held = this.#held.get(idOf(need));
    return held === undefined || this.#environment.clock.now() >= held.renewAt_ms;
  }
}

const idOf = (need: TokenNeed) => `${need.audience} ${need.expiration_s}`;
