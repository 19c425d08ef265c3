/** Issue 6, row 4: bootstrap tokens are deleted when they expire (kube-controller-manager's token cleaner). */
import { expect, it } from 'vitest';
import { tokenSecret } from '../../../apimachinery/bootstrap-token.js';
import { secrets } from '../../../apimachinery/gen/resources.js';
import type { Secret } from '../../../apimachinery/gen/types.js';
import { createTestContext } from '../testing.js';
import { createTokenCleaner } from './token-cleaner.js';

it('deletes a token at its expiration, and nothing else', async () => {
  const test = createTestContext();
  const token = (id: string, expires_ms: number | undefined) =>
    tokenSecret({
      id,
      secret: '0123456789abcdef',
      description: '',
      usages: ['authentication'],
      extraGroups: [],
      uses: undefined,
      expires_ms,
    });
  const now_ms = test.clock.now();
  const elsewhere = token('cccccc', now_ms);
  await Promise.all(
    [
      token('aaaaaa', now_ms + 60_000),
      token('bbbbbb', undefined),
      { ...elsewhere, metadata: { ...elsewhere.metadata, namespace: 'default' } },
      { ...token('dddddd', now_ms), type: 'Opaque' },
      token('eeeeee', now_ms - 1000),
    ].map((secret) => test.client.create<Secret>(secrets, secret)),
  );
  await test.start(createTokenCleaner(test.context));
  await test.settle();
  const names = async () =>
    (await test.client.list<Secret>(secrets)).items.map((secret) => (secret.metadata?.name ?? '').slice(-6)).toSorted();
  expect(await names()).toEqual(['aaaaaa', 'bbbbbb', 'cccccc', 'dddddd']);
  await test.settle(61_000);
  expect(await names()).toEqual(['bbbbbb', 'cccccc', 'dddddd']);
  await test.stop();
});
