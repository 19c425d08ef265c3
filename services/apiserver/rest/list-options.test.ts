/** Answers of kube-apiserver v1.36 to options that do not go together, and to views that there are not. */
import { Agent, fetch } from 'undici';
import { expect, it } from 'vitest';
import { startApiServer } from '../testing/api-server.js';

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  return {
    async ask(path: string, accept = 'application/json', init: { method?: string; body?: string } = {}) {
      const response = await fetch(`${running.url}${path}`, {
        ...init,
        headers: { accept, 'content-type': 'application/json' },
        dispatcher,
      });
      const { message, details, kind } = (await response.json()) as {
        kind?: string;
        message?: string;
        details?: { causes?: { message?: string }[] };
      };
      return { code: response.status, kind, message, causes: details?.causes?.map((cause) => cause.message) };
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

const MAPS = '/api/v1/namespaces/default/configmaps';
const UNLESS_VERSION = 'Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided';
const NOT_FOR_LIST = 'Forbidden: sendInitialEvents is forbidden for list';
const NOT_FOR_WATCH = 'Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
const NOT_WITH_CONTINUE = 'Forbidden: resourceVersionMatch is forbidden when continue is provided';
const REQUIRES = 'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';

it.each<[string, readonly string[]]>([
  ['sendInitialEvents=true', [NOT_FOR_LIST]],
  ['sendInitialEvents=false', [NOT_FOR_LIST]],
  ['sendInitialEvents=true&resourceVersionMatch=NotOlderThan', [UNLESS_VERSION, NOT_FOR_LIST]],
  ['resourceVersionMatch=Exact', [UNLESS_VERSION]],
  [
    'resourceVersionMatch=Bogus&resourceVersion=1',
    ['Unsupported value: "Bogus": supported values: "Exact", "NotOlderThan", ""'],
  ],
  [
    'resourceVersionMatch=Exact&resourceVersion=0',
    ['Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'],
  ],
  ['watch=1&sendInitialEvents=true', [REQUIRES]],
  [
    'watch=1&sendInitialEvents=true&resourceVersionMatch=Exact',
    [REQUIRES, 'Unsupported value: "Exact": supported values: "NotOlderThan"'],
  ],
  ['watch=1&resourceVersionMatch=NotOlderThan', [NOT_FOR_WATCH]],
  ['watch=1&continue=x', [NOT_WITH_CONTINUE]],
  ['watch=1&continue=x&resourceVersion=0', [NOT_WITH_CONTINUE]],
  [
    'watch=1&resourceVersionMatch=Exact&resourceVersion=1',
    [NOT_FOR_WATCH, 'Unsupported value: "Exact": supported values: "NotOlderThan"'],
  ],
])('%s', async (query, causes) => {
  await using test = await start();
  expect(await test.ask(`${MAPS}?${query}`)).toMatchObject({ code: 422, causes });
});

const table = (rest = ';g=meta.k8s.io;v=v1') => `application/json;as=Table${rest}`;
const metadata = (as: string) => `application/json;as=${as};g=meta.k8s.io;v=v1`;

it.each<[string, string, string, string | undefined]>([
  ['a table of reviews', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', table(), 'POST'],
  ['a table of a version that is not there', MAPS, table(';g=meta.k8s.io;v=v2'), undefined],
  ['a table of another group', MAPS, table(';g=x;v=v1'), undefined],
  ['a table of no group', MAPS, table(''), undefined],
  ['a view that is not there', MAPS, metadata('Nonsense'), undefined],
  ["an object's metadata of a list", MAPS, metadata('PartialObjectMetadata'), undefined],
  ["a list's metadata of an object", '/api/v1/namespaces/default', metadata('PartialObjectMetadataList'), undefined],
])('%s is not acceptable', async (_name, path, accept, method) => {
  await using test = await start();
  const init =
    method === undefined ? {} : { method, body: '{"spec":{"nonResourceAttributes":{"path":"/","verb":"get"}}}' };
  expect(await test.ask(path, accept, init)).toMatchObject({ code: 406, kind: 'Status' });
});

it('where the client takes something else too, it gets that', async () => {
  await using test = await start();
  expect(await test.ask(MAPS, `${table(';g=x;v=v1')}, application/json`)).toMatchObject({
    code: 200,
    kind: 'ConfigMapList',
  });
  expect(await test.ask(MAPS, table())).toMatchObject({ code: 200, kind: 'Table' });
});
