/** For tests: a pod whose containers are processes of this machine and whose ports are ports of loopback. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import type {
  PodStream,
  PodStreamInput,
  PodStreamOutput,
  PodStreamRequest,
} from '../../../../apimachinery/pod-streams.js';

/** Attach finds `cat`. */
export function openLocally(request: PodStreamRequest): Promise<PodStream> {
  switch (request.kind) {
    case 'exec':
      return openProcess(request.command);
    case 'attach':
      return openProcess(['cat']);
    case 'port-forward':
      return openPort(request.port);
    case 'node-port':
    case 'log':
      return Promise.reject(new Error(`no ${request.kind} here`));
  }
}

async function openProcess([file = '', ...args]: readonly string[]): Promise<PodStream> {
  const child = spawn(file, args, { stdio: 'pipe' });
  const output = new PassThrough({ objectMode: true });
  await once(child, 'spawn');
  copy(child.stdout, output, 'stdout');
  copy(child.stderr, output, 'stderr');
  child.stdin.on('error', () => undefined);
  child.on('close', (code) => output.end({ kind: 'exit', code: code ?? 137 } satisfies PodStreamOutput));
  return podStream(output, child.stdin, () => child.kill('SIGKILL'));
}

async function openPort(port: number): Promise<PodStream> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  await once(socket, 'connect');
  const output = new PassThrough({ objectMode: true });
  copy(socket, output, 'stdout');
  socket.on('end', () => output.end());
  socket.on('error', (error) => output.destroy(error));
  return podStream(output, socket, () => socket.destroy());
}

function copy(from: Readable, to: PassThrough, kind: 'stdout' | 'stderr'): void {
  from.on('data', (data: Buffer) => {
    if (to.write({ kind, data } satisfies PodStreamOutput)) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
}

function podStream(output: PassThrough, input: Writable, close: () => void): PodStream {
  return {
    write: (frame: PodStreamInput) =>
      new Promise((resolve, reject) => {
        if (frame.kind === 'stdin') input.write(frame.data, (error) => (error == null ? resolve() : reject(error)));
        else if (frame.kind === 'stdin-end') input.end(resolve);
        else resolve();
      }),
    close() {
      close();
      output.end();
    },
    [Symbol.asyncIterator]: () => output[Symbol.asyncIterator]() as AsyncIterator<PodStreamOutput>,
  };
}
