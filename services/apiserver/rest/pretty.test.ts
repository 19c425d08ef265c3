import { describe, expect, it } from 'vitest';
import { prettyWhenAsked, printJson } from './pretty.js';

describe('?pretty=true', () => {
  it.each<[string]>([
    ['{"a":1,"b":[1,{"c":"x, {y}: \\"z\\""},[]],"d":{},"e":null}'],
    ['[]'],
    ['{}'],
    ['"x"'],
    ['[[],{}]'],
    ['{"a":[{"b":[1.50]}]}'],
  ])('prints %s as JSON.stringify with an indent of two does', (text) => {
    expect(printJson(text)).toBe(
      JSON.stringify(JSON.parse(text), null, 2).replace('1.5', text.includes('1.50') ? '1.50' : '1.5'),
    );
  });

  it('keeps every digit', () => expect(printJson('{"n":9007199254740993}')).toBe('{\n  "n": 9007199254740993\n}'));

  it.each<[string, string, boolean]>([
    ['/x?pretty=true', 'application/json', true],
    ['/x?a=b&pretty=1', 'application/json', true],
    ['/x?pretty=false', 'application/json', false],
    ['/x', 'application/json', false],
    ['/x?pretty=true', 'application/yaml', false],
    ['/x?pretty=', 'application/json', false],
    ['/x?pretty=T', 'application/json', true],
  ])('%s of %s: %s', (url, type, expected) => {
    const answer = prettyWhenAsked(
      { status: 200, headers: { 'content-type': type }, body: Buffer.from('{"a":1}') },
      { url },
    );
    expect(Buffer.from(answer.body as Uint8Array).toString()).toBe(expected ? '{\n  "a": 1\n}' : '{"a":1}');
  });

  it.each<[string, string, string | undefined, boolean]>([
    ['/x', 'curl/8.1', '*/*', true],
    ['/x', 'curl/8.1', undefined, true],
    ['/x', 'Mozilla/5.0 (X11)', 'text/html,*/*;q=0.8', true],
    ['/x', 'Wget/1.21', '*/*', true],
    ['/x', 'kubectl/v1.36.0', undefined, false],
    ['/x?pretty=false', 'curl/8.1', '*/*', false],
    ['/x', 'curl/8.1', 'application/json', false],
    ['/x?pretty=1', 'curl/8.1', 'application/json', true],
  ])('%s to %s, who takes %s: %s', (url, userAgent, accept, expected) => {
    const answer = prettyWhenAsked(
      { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from('{"a":1}') },
      { url, userAgent, accept },
    );
    expect(
      Buffer.from(answer.body as Uint8Array)
        .toString()
        .includes('\n'),
    ).toBe(expected);
  });
});
