/**
 * What the rules' scenarios share: one cluster, a namespace for each, bare requests to one member and a real kubectl.
 */
import { expect } from 'vitest';
import type { Etcdctl } from '../lib/etcdctl.js';
import type { Kubectl } from '../lib/kubectl.js';
import type { Rest, RestAnswer } from '../lib/rest.js';
import { until } from '../lib/until.js';

export interface Place {
  readonly kubectl: Kubectl;
  readonly rest: Rest;
  readonly etcdctl: Etcdctl;
}

export type Json = Readonly<Record<string, unknown>>;

export const MERGE = 'application/merge-patch+json';
export const STRATEGIC = 'application/strategic-merge-patch+json';
export const APPLY = 'application/apply-patch+yaml';
export const JSON_PATCH = 'application/json-patch+json';

/** A namespace that pods can be created in: its ServiceAccount is there. Returns its path below /api/v1. */
export async function namespace({ kubectl, rest }: Place, name: string): Promise<string> {
  await kubectl.ok(['create', 'namespace', name]);
  await until(
    `the ServiceAccount of ${name}`,
    async () => (await rest.get(`/api/v1/namespaces/${name}/serviceaccounts/default`)).code === 200,
  );
  return `/api/v1/namespaces/${name}`;
}

/** The same namespace below another group's version: `inGroup('/api/v1/namespaces/a', 'apps/v1')`. */
export const inGroup = (home: string, groupVersion: string) => home.replace('/api/v1', `/apis/${groupVersion}`);

/** POST of a body given as text where its very digits matter. */
export function post({ rest }: Place, path: string, body: Json | string): Promise<RestAnswer> {
  return rest.send('POST', path, { body: typeof body === 'string' ? body : JSON.stringify(body) });
}

export function patch({ rest }: Place, path: string, contentType: string, body: unknown): Promise<RestAnswer> {
  return rest.send('PATCH', path, { body: JSON.stringify(body), contentType });
}

export const put = ({ rest }: Place, path: string, body: Json): Promise<RestAnswer> =>
  rest.send('PUT', path, { body: JSON.stringify(body) });

/** The body, after a look at the code: a failure shows the whole answer. */
export function accepted(answer: RestAnswer, code?: number): Record<string, unknown> {
  expect(answer, answer.text).toMatchObject({ code: code ?? (answer.code === 201 ? 201 : 200) });
  return JSON.parse(answer.text) as Record<string, unknown>;
}

export function refused(answer: RestAnswer, code: number, message = /./): void {
  expect(answer, answer.text).toMatchObject({ code });
  expect(answer.status.message).toMatch(message);
}

/**
 * Defines a kind of the group rules.example: `plural` with this schema of `spec` (or of the whole object). Resolves,
 * when the member that bare requests go to serves it, to the path of its objects in `home`.
 */
export async function define(
  place: Place,
  home: string,
  {
    plural,
    spec,
    schema,
    status,
  }: { readonly plural: string; readonly spec?: Json; readonly schema?: Json; readonly status?: boolean },
): Promise<{ path: string; create(body: string, name?: string): Promise<RestAnswer> }> {
  const answer = await post(
    place,
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    definition(plural, schema ?? { type: 'object', properties: { spec: spec ?? {} } }, status ?? false),
  );
  expect(answer.code, answer.text).toBe(201);
  const path = `${inGroup(home, 'rules.example/v1')}/${plural}`;
  await until(`${plural} to be served`, async () => (await place.rest.get(path)).code === 200);
  const create = (body: string, name?: string) =>
    post(
      place,
      path,
      `{"apiVersion":"rules.example/v1","kind":"${kindOf(plural)}","metadata":${JSON.stringify(name === undefined ? { generateName: 'a-' } : { name })},"spec":${body}}`,
    );
  return { path, create };
}

const kindOf = (plural: string) => `${plural.slice(0, 1).toUpperCase()}${plural.slice(1, -1)}`;

export function definition(plural: string, schema: Json, status: boolean): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.rules.example` },
    spec: {
      group: 'rules.example',
      scope: 'Namespaced',
      names: { plural, singular: plural.slice(0, -1), kind: kindOf(plural), listKind: `${kindOf(plural)}List` },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          ...(status ? { subresources: { status: {} } } : {}),
        },
      ],
    },
  };
}

/** A Deployment of nothing, whose template has one container. */
export function deployment(name: string, spec: Json = {}, podSpec: Json = {}): Json {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'web:1' }], ...podSpec },
      },
      ...spec,
    },
  };
}

export function pod(name: string, spec: Json = {}, labels: Json = {}): Json {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'web:1' }], ...spec },
  };
}
