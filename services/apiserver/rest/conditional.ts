/** Answers that a client may have already (RFC 9110, section 13). */
import { headerOf } from './message.js';
import type { RestRequest, RestResponse } from './message.js';

/** With the ETag that the client has already: 304 and no body. */
export function cacheable(
  request: RestRequest,
  body: Uint8Array,
  contentType: string,
  etag: string | undefined,
): RestResponse {
  const headers = {
    'content-type': contentType,
    vary: 'Accept',
    ...(etag === undefined ? {} : { etag, 'cache-control': 'public' }),
  };
  const known =
    etag !== undefined &&
    headerOf(request, 'if-none-match')
      .split(',')
      .some((one) => one.trim() === etag);
  return known ? { status: 304, headers, body: new Uint8Array() } : { status: 200, headers, body };
}
