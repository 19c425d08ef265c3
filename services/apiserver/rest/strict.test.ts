/** Unknown and duplicate fields in kube-apiserver's order and words (KEP-2885; answers of kube-apiserver v1.36). */
import { Agent, fetch } from 'undici';
import { expect, it } from 'vitest';
import { startApiServer } from './testing.js';

const MAPS = '/api/v1/namespaces/default/configmaps?dryRun=All';
const JSON_BODY = '{"foo":1,"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","name":"b","nope":{"x":1,"x":2},"labels":{"x":"1","x":"2"}},'
  + '"data":{"a":"1","a":"2"},"bar":[1],"foo":2,"Data":{},"data":{"z":"y"}}';
const YAML_BODY = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {x: a, x: b}\ndata:\n  a: "1"\n  a: "2"\nfoo: 1\nbar: 2\n';
const TWO_DOCUMENTS = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: x}\n---\nfoo: [\n';
const FRAME = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: ';
const JSON_LINES = [
  'unknown field "foo"', 'duplicate field "metadata.name"', 'unknown field "metadata.nope"', 'duplicate field "metadata.labels.x"', 'duplicate field "data.a"',
  'unknown field "bar"', 'unknown field "Data"', 'duplicate field "data"',
];
const YAML_LINES = ['line 5: key "x" already set in map', 'line 8: key "a" already set in map', 'unknown field "bar"', 'unknown field "foo"'];

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  return {
    async send(type: string, body: string, validation: string, how: { method: string; path: string } = { method: 'POST', path: MAPS }) {
      const response = await fetch(`${running.url}${how.path}&fieldValidation=${validation}`, { method: how.method, body, headers: { 'content-type': type }, dispatcher });
      const answer = await response.json() as { message?: string; data?: object; metadata: { labels?: object } };
      const warnings = (response.headers.get('warning') ?? '').split(/, (?=299 )/).filter((text) => text !== '').map((text) => text.slice('299 - "'.length, -1).replaceAll('\\"', '"'));
      return { code: response.status, warnings, message: answer.message, data: answer.data, labels: answer.metadata.labels };
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

it.each<[string, string, string, readonly string[], string]>([
  ['JSON', 'application/json', JSON_BODY, JSON_LINES, JSON_LINES.join(', ')],
  ['YAML', 'application/yaml', YAML_BODY, YAML_LINES,
    'yaml: unmarshal errors:\n  line 5: key "x" already set in map\n  line 8: key "a" already set in map, unknown field "bar", unknown field "foo"'],
])('%s: Strict refuses all issues, Warn tells them, Ignore neither', async (_name, type, body, lines, strict) => {
  await using test = await start();
  expect(await test.send(type, body, 'Strict')).toMatchObject({ code: 400, message: FRAME + strict });
  expect(await test.send(type, body, 'Warn')).toMatchObject({ code: 201, warnings: lines });
  expect(await test.send(type, body, '')).toMatchObject({ code: 201, warnings: lines });
  expect(await test.send(type, body, 'Ignore')).toMatchObject({ code: 201, warnings: [] });
});

it('of two documents the first one counts, whatever fieldValidation says', async () => {
  await using test = await start();
  for (const validation of ['Strict', 'Warn', 'Ignore']) {
    expect(await test.send('application/yaml', TWO_DOCUMENTS, validation)).toMatchObject({ code: 201, warnings: [], data: { a: 'x' } });
  }
});

it('what is applied twice is refused by Strict, and else applied with a warning', async () => {
  await using test = await start();
  const apply = (validation: string) => test.send('application/apply-patch+yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata:\n  a: "1"\n  a: "2"\n', validation, {
    method: 'PATCH', path: '/api/v1/namespaces/default/configmaps/applied?fieldManager=test&dryRun=All',
  });
  expect(await apply('Strict')).toMatchObject({ code: 400, message: 'error strict decoding YAML: yaml: unmarshal errors:\n  line 6: key "a" already set in map' });
  expect(await apply('Warn')).toMatchObject({ code: 201, warnings: ['line 6: key "a" already set in map'], data: { a: '2' } });
});

it('at most a hundred issues are told, and nothing is said of what stands inside an unknown field', async () => {
  await using test = await start();
  const many = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},${Array.from({ length: 5000 }, (_, i) => `"field${i}":{"x":1,"x":2}`).join(',')}}`;
  const { message = '' } = await test.send('application/json', many, 'Strict');
  expect(message.match(/unknown field/g)).toHaveLength(100);
  expect(message).not.toContain('duplicate');
});
