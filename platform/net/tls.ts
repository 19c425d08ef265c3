/**
 * What every TLS listener of Navarch offers: TLS 1.2 with forward secrecy and authenticated encryption, TLS 1.3 as it
 * is. Part of each secure context, also of one that replaces another: `setSecureContext` falls back to Node's defaults
 * for what it is not given.
 */
export const LISTENER_CONTEXT = {
  minVersion: 'TLSv1.2',
  // Names without a protocol are TLS 1.2's. CBC suites, and those without forward secrecy, are not in it.
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  honorCipherOrder: true,
} as const;

/** Until a connection without a finished handshake is closed. */
export const HANDSHAKE_MS_MAX = 10_000;
