import { status as grpc } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { apiErrors } from '../status.js';
import { fromGrpcError, isTransportFault, neverSent, toGrpcFailure } from './status.js';

const asServiceError = (failure: { code: grpc; details: string; metadata?: Metadata }): ServiceError =>
  Object.assign(new Error(failure.details), { metadata: new Metadata(), ...failure });

const pods = { group: '', resource: 'pods' };

describe('Status over gRPC', () => {
  it.each([
    [apiErrors.notFound(pods, 'p'), grpc.NOT_FOUND],
    [apiErrors.alreadyExists(pods, 'p'), grpc.ALREADY_EXISTS],
    [apiErrors.conflict(pods, 'p', 'changed'), grpc.ABORTED],
    [apiErrors.forbidden(pods, 'p', 'no'), grpc.PERMISSION_DENIED],
    [apiErrors.expired('too old'), grpc.OUT_OF_RANGE],
    [apiErrors.tooManyRequests('slow down', 3), grpc.RESOURCE_EXHAUSTED],
    [apiErrors.resourceVersionTooLarge(9, 3), grpc.DEADLINE_EXCEEDED],
    [apiErrors.serviceUnavailable('no leader'), grpc.UNAVAILABLE],
    [
      apiErrors.invalid({ group: 'apps', kind: 'Deployment' }, 'd', [
        { type: 'FieldValueRequired', field: 'spec', detail: 'Required value' },
      ]),
      grpc.INVALID_ARGUMENT,
    ],
  ])('%s arrives whole', (error, code) => {
    const failure = toGrpcFailure(error);
    expect(failure.code).toBe(code);
    const back = fromGrpcError(asServiceError(failure));
    expect(back.status).toEqual(error.status);
    expect(isTransportFault(asServiceError(failure))).toBe(false);
  });

  it('keeps a Status within what header blocks hold', () => {
    const errors = Array.from({ length: 5000 }, (_, i) => ({
      type: 'FieldValueInvalid' as const,
      field: `f${i}`,
      detail: 'x'.repeat(500),
    }));
    const failure = toGrpcFailure(apiErrors.invalid({ group: '', kind: 'Pod' }, 'n'.repeat(100_000), errors));
    expect(
      Buffer.concat(failure.metadata.get('navarch-status-bin').map((value) => Buffer.from(value))).length,
    ).toBeLessThan(16 * 1024);
    const back = fromGrpcError(asServiceError(failure));
    expect([back.code, back.reason, back.status.details?.causes?.length]).toEqual([422, 'Invalid', 8]);
  });

  it('hides what is no ApiError', () => {
    const failure = toGrpcFailure(new TypeError('at secret.ts:3'));
    expect([failure.code, failure.details.includes('secret')]).toEqual([grpc.INTERNAL, false]);
  });

  it('reads faults of the transport, and knows which calls never left', () => {
    const refused = asServiceError({
      code: grpc.UNAVAILABLE,
      details: 'No connection established. Last error: connect ECONNREFUSED',
    });
    const dropped = asServiceError({ code: grpc.UNAVAILABLE, details: 'Connection dropped' });
    const reset = asServiceError({ code: grpc.INTERNAL, details: 'Received RST_STREAM with code 2' });
    expect([refused, dropped, reset].map(isTransportFault)).toEqual([true, true, true]);
    expect([refused, dropped, reset].map(neverSent)).toEqual([true, false, false]);
    expect([refused, dropped, reset].map((error) => fromGrpcError(error).reason)).toEqual(
      Array.from({ length: 3 }, () => 'ServiceUnavailable'),
    );
  });

  it('does not trust a trailer that holds something else', () => {
    const metadata = new Metadata();
    metadata.set('navarch-status-bin', Buffer.from('{"kind":"Pod"}'));
    expect(fromGrpcError(asServiceError({ code: grpc.NOT_FOUND, details: 'x', metadata })).code).toBe(500);
    metadata.set('navarch-status-bin', Buffer.from('{'));
    expect(fromGrpcError(asServiceError({ code: grpc.UNAUTHENTICATED, details: 'x', metadata })).code).toBe(401);
  });
});
