/** One forwarded connection, once for all carriers: a client's pair of channels joined to a port of a pod. */
import type { PodStream } from '../../../apimachinery/pod-streams.js';
import type { ForwardChannels } from './channels.js';
import type { UpgradeRequest } from '../ports.js';

export function openPort(upgrade: UpgradeRequest, port: number, signal: AbortSignal): Promise<PodStream> {
  const { namespace, pod, uid } = upgrade;
  return upgrade.open({ kind: 'port-forward', namespace, pod, uid, port }, { signal });
}

/** Opens the port, then forwards. What fails is told on the error channel. Never rejects. */
export async function forwardPort(upgrade: UpgradeRequest, port: number, channels: ForwardChannels): Promise<void> {
  let stream: PodStream;
  try {
    stream = await openPort(upgrade, port, channels.gone);
  } catch (error) {
    await finish(channels, `error forwarding port ${port} to pod ${upgrade.pod}: ${(error as Error).message}`);
    return;
  }
  await runForward(stream, channels);
}

/** Resolves when the pod has sent its last byte and the client has it, or when either is gone. Never rejects. */
export async function runForward(stream: PodStream, channels: ForwardChannels): Promise<void> {
  const { data, gone } = channels;
  const leave = () => stream.close();
  gone.addEventListener('abort', leave, { once: true });
  if (gone.aborted) leave();
  void feed(stream, channels);
  const output = stream[Symbol.asyncIterator]();
  let failure = '';
  try {
    for (;;) {
      let next;
      try {
        next = await output.next();
      } catch (error) {
        failure = (error as Error).message;
        break;
      }
      if (next.done === true) break;
      if (next.value.kind === 'stdout') await data.write(next.value.data);
    }
  } catch {
    // The client is gone.
  } finally {
    gone.removeEventListener('abort', leave);
    stream.close();
  }
  await finish(channels, failure);
}

async function feed(stream: PodStream, { data }: ForwardChannels): Promise<void> {
  try {
    for await (const chunk of data) await stream.write({ kind: 'stdin', data: chunk });
    await stream.write({ kind: 'stdin-end' });
  } catch {
    data.cancel();
  }
}

/** The error channel first: clients wait for it once the data has ended. */
async function finish({ data, error, gone }: ForwardChannels, failure: string): Promise<void> {
  data.cancel();
  error.cancel();
  if (gone.aborted) return;
  try {
    if (failure !== '') await error.write(Buffer.from(failure));
    error.end();
    data.end();
  } catch {
    // The client is gone.
  }
}
