/** grpc.health.v1.Health/Check, by hand: its two messages are one string and one enum. */
import { Client, credentials } from '@grpc/grpc-js';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { ProbeResult } from './prober.js';

const SERVING = 1;
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

function encodeRequest(service: string): Buffer {
  const writer = new BinaryWriter();
  if (service !== '') writer.uint32(10).string(service);
  return Buffer.from(writer.finish());
}

function decodeStatus(bytes: Buffer): number {
  const reader = new BinaryReader(bytes);
  let status = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 8) status = reader.int32();
    else reader.skip(tag & 7);
  }
  return status;
}

/** Never rejects. The deadline is gRPC's own. */
export function checkGrpc(address: string, service: string, timeout_s: number): Promise<ProbeResult> {
  const client = new Client(address, credentials.createInsecure());
  return new Promise((resolve) => {
    const call = client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      encodeRequest,
      decodeStatus,
      service,
      (error, status) => {
        deadline.abort();
        client.close();
        if (error !== null) resolve({ ok: false, message: `service unhealthy: ${error.message}` });
        else if (status === SERVING) resolve({ ok: true, message: '' });
        else
          resolve({
            ok: false,
            message: `service unhealthy (responded with "${STATUS_NAMES[status ?? 0] ?? 'UNKNOWN'}")`,
          });
      },
    );
    const deadline = new AbortController();
    AbortSignal.any([AbortSignal.timeout(timeout_s * 1000), deadline.signal]).addEventListener(
      'abort',
      () => call.cancel(),
      { once: true },
    );
  });
}
