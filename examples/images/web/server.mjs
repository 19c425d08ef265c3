// The guestbook's face. It shows where its pieces come from: the greeting from a ConfigMap as an environment variable,
// the rules from the same ConfigMap as a file, the administrator's key from a Secret both ways, the entries from a
// second Deployment that it finds by name in the cluster's DNS.
//
//   GET /          the page, as text        POST /          signs the guestbook with the request's body
//   GET /whoami    this pod, as JSON        DELETE /        says whether the key in x-admin-key is the right one
//   GET /healthz   alive                    GET /readyz     ready: 503 once it was told to stop
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const VERSION = process.env.VERSION ?? '0';
const BACKEND = process.env.BACKEND_URL ?? 'http://backend';
const CONFIG_DIRECTORY = process.env.CONFIG_DIRECTORY ?? '/etc/guestbook/config';
const SECRET_DIRECTORY = process.env.SECRET_DIRECTORY ?? '/etc/guestbook/secret';
// Between SIGTERM and the last request there is time for every proxy to learn that this pod is leaving.
const DRAIN_MS = Number(process.env.DRAIN_MS ?? 3000);
const BACKEND_TIMEOUT_MS = 3000;

const self = { pod: process.env.POD_NAME ?? hostname(), node: process.env.NODE_NAME ?? '', version: VERSION };
let stopping = false;

const fileOf = async (directory, name) => (await readFile(`${directory}/${name}`, 'utf8').catch(() => '')).trim();

async function backend(init = {}) {
  const answer = await fetch(BACKEND, { ...init, signal: AbortSignal.timeout(BACKEND_TIMEOUT_MS) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function page(init) {
  const [rules, book] = await Promise.all([fileOf(CONFIG_DIRECTORY, 'rules.txt'), backend(init)]);
  return [
    process.env.GREETING ?? 'no greeting',
    rules,
    '',
    `web ${VERSION}, pod ${self.pod} on ${self.node}; backend ${book.pod} on ${book.node}`,
    `${book.entries.length} entries`,
    ...book.entries.map((entry) => `- ${entry}`),
    '',
  ].join('\n');
}

/** The same key must come from the environment and from the file. */
async function mayAdministrate(key) {
  return (
    key !== undefined &&
    key !== '' &&
    key === process.env.ADMIN_KEY &&
    key === (await fileOf(SECRET_DIRECTORY, 'admin-key'))
  );
}

async function answer(request, response) {
  const send = (code, text, type = 'text/plain; charset=utf-8') => {
    response.writeHead(code, { 'content-type': type, ...(stopping ? { connection: 'close' } : {}) }).end(text);
  };
  switch (`${request.method} ${request.url}`) {
    case 'GET /healthz':
      return send(200, 'alive\n');
    case 'GET /readyz':
      return stopping ? send(503, 'stopping\n') : send(200, 'ready\n');
    case 'GET /whoami':
      return send(200, `${JSON.stringify(self)}\n`, 'application/json');
    case 'GET /':
      return send(200, await page());
    case 'POST /':
      return send(200, await page({ method: 'POST', body: await bodyOf(request) }));
    case 'DELETE /':
      return (await mayAdministrate(request.headers['x-admin-key']))
        ? send(200, 'the key fits\n')
        : send(403, 'the key does not fit\n');
    default:
      return send(404, 'not here\n');
  }
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) if (text.length < 10_000) text += chunk;
  return text;
}

const server = createServer((request, response) => {
  const begun = performance.now();
  response.on('finish', () => {
    if (!/^\/(healthz|readyz)$/.test(request.url))
      console.log(`${request.method} ${request.url} ${response.statusCode} ${Math.round(performance.now() - begun)}ms`);
  });
  answer(request, response).catch((error) =>
    response.writeHead(502).end(`the backend does not answer: ${error.message}\n`),
  );
});
server.listen(Number(process.env.PORT ?? 8080), () => console.log(`web ${VERSION}: listening`));

process.on('SIGTERM', () => {
  if (stopping) return;
  stopping = true;
  console.log(`web ${VERSION}: told to stop, draining for ${DRAIN_MS} ms`);
  setTimeout(() => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  }, DRAIN_MS);
});
