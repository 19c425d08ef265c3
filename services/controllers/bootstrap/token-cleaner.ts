/** Deletes bootstrap tokens when their time has come. */
import {
  BOOTSTRAP_TOKEN_NAMESPACE,
  BOOTSTRAP_TOKEN_TYPE,
  tokenExpiration,
} from '../../../apimachinery/bootstrap-token.js';
import { secrets } from '../../../apimachinery/gen/resources.js';
import { Controller, done, requeueAfter } from '../../../sdk/controller/controller.js';
import { bySelf, sourceOf } from '../../../sdk/controller/source.js';
import type { ControllerContext } from '../context.js';
import { deleteSame } from '../lib/writes.js';

export function createTokenCleaner(context: ControllerContext): Controller {
  const informer = context.informers.informer(secrets);
  return new Controller({
    name: 'token-cleaner',
    clock: context.clock,
    logger: context.logger,
    workers: 1,
    sources: [
      sourceOf(informer, bySelf, {
        filter: (secret) =>
          secret.type === BOOTSTRAP_TOKEN_TYPE && secret.metadata?.namespace === BOOTSTRAP_TOKEN_NAMESPACE,
      }),
    ],
    async reconcile(key, { signal }) {
      const secret = informer.lister.get(key);
      const expires_ms = secret === undefined ? undefined : tokenExpiration(secret);
      if (secret === undefined || expires_ms === undefined) return done;
      const left_ms = expires_ms - context.clock.now();
      if (left_ms > 0) return requeueAfter(left_ms);
      await deleteSame(context.client, secrets, { object: secret, signal });
      return done;
    },
  });
}
