/** Which tokens let a host join as a worker: bootstrap tokens of the group for nodes, each as often as it says. */
import {
  BOOTSTRAP_TOKEN_NAMESPACE,
  NODE_JOINERS_GROUP,
  parseTokenText,
  spendUse,
  tokenSecretName,
} from '../../../apimachinery/bootstrap-token.js';
import { secrets } from '../../../apimachinery/gen/resources.js';
import type { Secret } from '../../../apimachinery/gen/types.js';
import { isApiError } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { Client } from '../../../sdk/client.js';
import { judgeToken } from '../../apiserver/auth/bootstrap-tokens.js';
import type { JoinGrant, JoinTokens } from '../../nodelink/ports.js';

const ATTEMPTS_MAX = 20;

export class BootstrapJoinTokens implements JoinTokens {
  readonly #client: Client;
  readonly #clock: Clock;

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async find(text: string): Promise<JoinGrant | undefined> {
    return (await this.#good(text)) === undefined ? undefined : { spend: () => this.#spend(text) };
  }

  /** Of two that take the last use at the same time, one gets it. */
  async #spend(text: string): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const found = await this.#good(text);
      if (found === undefined || found.uses === 0) return false;
      if (found.uses === undefined) return true;
      try {
        await this.#client.update<Secret>(secrets, spendUse(found.secret, found.uses));
        return true;
      } catch (error) {
        if (!isApiError(error, 'Conflict') && !isApiError(error, 'NotFound')) throw error;
      }
    }
    return false;
  }

  async #good(text: string): Promise<{ readonly secret: Secret; readonly uses: number | undefined } | undefined> {
    const shown = parseTokenText(text);
    if (shown === undefined) return undefined;
    const secret = await this.#read(tokenSecretName(shown.id));
    const token = judgeToken(secret, text, this.#clock.now());
    return secret === undefined || token === undefined || !token.extraGroups.includes(NODE_JOINERS_GROUP)
      ? undefined
      : { secret, uses: token.uses };
  }

  async #read(name: string): Promise<Secret | undefined> {
    try {
      return await this.#client.get<Secret>(secrets, { namespace: BOOTSTRAP_TOKEN_NAMESPACE, name });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}
