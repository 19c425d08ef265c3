import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { PodTokens } from './tokens.js';
import type { Pod } from '../pod-spec/types.js';

const need = { audience: '', expiration_s: 1000 };
const pod: Pod = {
  metadata: { name: 'a' },
  spec: {
    containers: [],
    volumes: [
      { name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 1000 } }] } },
    ],
  },
};
const key = { namespace: 'default', name: 'a', uid: 'u1' };

class Member {
  readonly clock = new VirtualClock();
  asked = 0;
  away = false;

  requestToken = () => {
    this.asked++;
    return this.away
      ? Promise.reject(new Error('no member is reachable'))
      : Promise.resolve({ token: `token ${this.asked}`, expires_ms: this.clock.now() + 1_000_000 });
  };
}

describe('service account tokens', () => {
  it('are renewed at four fifths of their life, and not before', async () => {
    const member = new Member();
    const tokens = new PodTokens(member);
    await tokens.fetch(pod, key);
    await member.clock.advance(799_000);
    expect(tokens.due(pod)).toBe(false);
    await member.clock.advance(2_000);
    expect(tokens.due(pod)).toBe(true);
    await tokens.fetch(pod, key);
    expect(tokens.get(need)).toBe('token 2');
  });

  it('stay in use while no member can renew them, and are asked for again every ten seconds', async () => {
    const member = new Member();
    const tokens = new PodTokens(member);
    await tokens.fetch(pod, key);
    member.away = true;
    await member.clock.advance(801_000);
    await tokens.fetch(pod, key);
    expect(tokens.get(need)).toBe('token 1');
    expect(tokens.due(pod)).toBe(false);
    await member.clock.advance(10_000);
    expect(tokens.due(pod)).toBe(true);
  });

  it('that were never had cannot be had without a member', async () => {
    const member = new Member();
    member.away = true;
    const tokens = new PodTokens(member);
    await expect(tokens.fetch(pod, key)).rejects.toThrow('no member is reachable');
    expect(tokens.due(pod)).toBe(false);
  });
});
