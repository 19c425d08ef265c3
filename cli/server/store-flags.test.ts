import { expect, it } from 'vitest';
import { parseStoreFlags } from './store-flags.js';

it('reads where an external store lies', () => {
  expect(parseStoreFlags({})).toBeUndefined();
  expect(parseStoreFlags({ storeEndpoints: 'http://10.0.0.1:2379, http://10.0.0.2' })).toEqual({ endpoints: ['10.0.0.1:2379', '10.0.0.2:2379'], tls: false });
  const files = { storeCa: 'ca.crt', storeCert: 'a.crt', storeKey: 'a.key' };
  expect(parseStoreFlags({ storeEndpoints: 'https://etcd-1:2379,https://[fd00::1]:2379', ...files })).toEqual({ endpoints: ['etcd-1:2379', '[fd00::1]:2379'], tls: true });
});

it('refuses what does not go together', () => {
  for (const storeEndpoints of ['10.0.0.1:2379', 'ftp://a:1', 'https://a:1,http://b:1', 'http://a:99999', ',', 'http://']) {
    expect(() => parseStoreFlags({ storeEndpoints }), storeEndpoints).toThrow();
  }
  expect(() => parseStoreFlags({ storeCa: 'ca.crt' })).toThrow('go with --store-endpoints');
  expect(() => parseStoreFlags({ storeEndpoints: 'https://a:1', storeCert: 'a.crt' })).toThrow('go together');
  expect(() => parseStoreFlags({ storeEndpoints: 'http://a:1', storeCa: 'ca.crt' })).toThrow('of no use with http://');
});
