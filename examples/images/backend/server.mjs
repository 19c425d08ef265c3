// The guestbook's memory: entries in this process, oldest first. GET / lists them, POST / adds one.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const ENTRIES_MAX = 100;
const ENTRY_BYTES_MAX = 500;
const entries = [];

async function textOf(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > ENTRY_BYTES_MAX) return undefined;
  }
  return text.trim();
}

async function answer(request, response) {
  if (request.method === 'POST') {
    const text = await textOf(request);
    if (text === undefined || text === '')
      return response.writeHead(400).end(`an entry has 1 to ${ENTRY_BYTES_MAX} characters\n`);
    entries.push(text);
    if (entries.length > ENTRIES_MAX) entries.shift();
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  return response.end(JSON.stringify({ pod: hostname(), node: process.env.NODE_NAME ?? '', entries }));
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(500).end(`${error.message}\n`));
});
server.listen(Number(process.env.PORT ?? 8080), () => console.log('backend: listening'));

process.on('SIGTERM', () => {
  console.log('backend: told to stop');
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
