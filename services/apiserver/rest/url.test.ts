import { describe, expect, it } from 'vitest';
import { parseUrl } from './url.js';

describe('the target of a request', () => {
  it.each<[target: string, path: string, name: string | undefined]>([
    ['/version?a=1', '/version', undefined],
    ['http://a.example/version?a=1', '/version', undefined],
    ['HTTPS://a.example:6443/api/v1/nodes/n?a=1', '/api/v1/nodes/n', 'n'],
    ['http://[::1]:6443/api/v1/nodes/n?a=1', '/api/v1/nodes/n', 'n'],
    ['/api/v1/nodes/http://x?a=1', '/api/v1/nodes/http://x', 'http:'],
    ['http:/version?a=1', 'http:/version', undefined],
  ])('%s may name the server before the path (RFC 9112, section 3.2.2)', (target, path, name) => {
    const parsed = parseUrl(target);
    expect([
      parsed.path,
      parsed.query.get('a'),
      parsed.route.kind === 'resource' ? parsed.route.name : undefined,
    ]).toEqual([path, '1', name]);
  });
});
