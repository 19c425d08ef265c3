/**
 * A sample of each kind, sent as JSON and as protobuf: both get the same answer. Our own samples (every field set, made
 * from the compiled facts) always; Kubernetes' own as well where ../shared/data is at hand.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { decodeProtobuf, encodeProtobuf } from '../../../apimachinery/codec/protobuf/index.js';
import type { UnknownObject } from '../../../apimachinery/object.js';
import { kindRows } from '../../../apimachinery/scheme/data.js';
import { sampleObject } from '../../../apimachinery/testing/sample-objects.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { startApiServer } from '../testing/api-server.js';

const folder = fileURLToPath(new URL('../../../../shared/data/kubernetes-roundtrip/', import.meta.url));
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
const PROTOBUF = 'application/vnd.kubernetes.protobuf';

interface Sample {
  readonly name: string;
  readonly object: UnknownObject;
}

const fromFacts = (): Sample[] =>
  kindRows().map((row) => ({
    name: `${row.group}/${row.version} ${row.kind}`,
    object: sampleObject(row, 'full') as UnknownObject,
  }));
const fromShared = (): Sample[] =>
  files.map((name) => ({ name, object: JSON.parse(readFileSync(`${folder}${name}`, 'utf8')) as UnknownObject }));

/** The sample less what a client may not choose. */
function chosen(object: UnknownObject): UnknownObject {
  const { labels, annotations } = object.metadata ?? {};
  return {
    ...object,
    metadata: {
      name: 'name-value',
      namespace: 'default',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}

interface Answer {
  readonly code: number;
  readonly message: string;
}

/** What one says and the other does not: fields come in another order, and so may complaints. */
function difference(a: Answer, b: Answer): string | undefined {
  if (a.code !== b.code) return `${a.code} and ${b.code}`;
  const said = (answer: Answer) => answer.message.replaceAll(/[[\]]/g, '').split(', ').toSorted();
  const [first, second] = [said(a), said(b)];
  const odd = [...first.filter((text) => !second.includes(text)), ...second.filter((text) => !first.includes(text))];
  return odd.length === 0 ? undefined : odd.join('; ');
}

describe('samples of all kinds', () => {
  const sources: [string, () => Sample[]][] = [['made from the facts', fromFacts]];
  if (files.length > 0) sources.push(['of Kubernetes (in ../shared/data)', fromShared]);

  it.each(sources)('%s get the same answer in both encodings, and come back in both', async (_source, samples) => {
    await using running = await startApiServer();
    const dispatcher = new Agent({ connect: { ca: running.certificate } });
    const send = async (path: string, body: string | Uint8Array, type: string) => {
      const response = await fetch(`${running.url}${path}`, {
        dispatcher,
        method: 'POST',
        body,
        headers: { 'content-type': type, accept: 'application/json' },
      });
      return { code: response.status, message: ((await response.json()) as { message?: string }).message ?? '' };
    };
    let [asked, stored] = [0, 0];
    for (const { name: file, object: whole } of samples()) {
      const object = chosen(whole);
      const [group = '', version = ''] =
        object.apiVersion?.includes('/') === true ? object.apiVersion.split('/') : ['', object.apiVersion];
      const kind = running.server.scheme.byKind({ group, version, kind: object.kind ?? '' });
      if (kind === undefined || !kind.verbs.includes('create')) continue;
      asked += 1;
      const collection = `${group === '' ? '/api' : `/apis/${group}`}/${version}${kind.namespaced ? '/namespaces/default' : ''}/${kind.resource}`;
      const protobuf = encodeProtobuf(object as JsonObject) ?? new Uint8Array();
      const first = await send(`${collection}?dryRun=All`, JSON.stringify(object), 'application/json');
      const second = await send(`${collection}?dryRun=All`, protobuf, PROTOBUF);
      expect([file, difference(first, second)]).toEqual([file, undefined]);
      expect([file, first.code]).not.toEqual([file, 500]);
      expect(first.message).not.toContain('cannot be handled as');
      if (first.code !== 201 || !kind.verbs.includes('get')) continue;
      stored += 1;
      await send(collection, protobuf, PROTOBUF);
      const read = (accept: string) =>
        fetch(`${running.url}${collection}/name-value`, { dispatcher, headers: { accept } });
      const json = (await (await read('application/json')).json()) as JsonObject;
      const bytes = Buffer.from(await (await read(PROTOBUF)).arrayBuffer());
      expect([file, decodeProtobuf(bytes)]).toEqual([file, decodeProtobuf(encodeProtobuf(json) ?? new Uint8Array())]);
      expect([file, decodeProtobuf(bytes)['spec']]).toEqual([file, json['spec']]);
    }
    await dispatcher.destroy();
    expect([asked > 50, stored > 5]).toEqual([true, true]);
  });
});
