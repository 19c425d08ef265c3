/** A connection for a member, from the node's network namespace in which the agent runs. */
import { connect } from 'node:net';
import type { PodStream, PodStreamInput } from '../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { PipedStream } from './piped-stream.js';

export interface PortTarget {
  readonly host: string;
  readonly port: number;
  /** Names the port's owner in errors, as `the pod`. */
  readonly owner: string;
}

export function openPort({ host, port, owner }: PortTarget, signal: AbortSignal): Promise<PodStream> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const onInput = (input: PodStreamInput): Promise<void> => {
      if (input.kind === 'stdin-end') socket.end();
      if (input.kind !== 'stdin' || socket.write(input.data)) return Promise.resolve();
      return new Promise((drained) => {
        const done = () => {
          socket.off('drain', done);
          socket.off('close', done);
          drained();
        };
        socket.on('drain', done);
        socket.on('close', done);
      });
    };
    const stream = new PipedStream({ signal, onInput, onClose: () => socket.destroy() });
    socket.on('data', (data) => {
      socket.pause();
      void stream.push({ kind: 'stdout', data }).finally(() => socket.resume());
    });
    socket.on('connect', () => resolve(stream));
    socket.on('end', () => stream.end());
    socket.on('error', (error) => {
      const failure = apiErrors.serviceUnavailable(`port ${port} of ${owner}: ${error.message}`);
      reject(failure);
      stream.end(failure);
    });
    socket.on('close', () => {
      reject(apiErrors.serviceUnavailable(`port ${port} of ${owner}: closed`));
      stream.end();
    });
  });
}
