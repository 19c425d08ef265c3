/** Issue 6, row 2: caps on connections for each address. */
import { expect, it } from 'vitest';
import { AddressCount, hostOf } from './address-count.js';
import { Rate } from './rate.js';

it.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['2001:db8:0:1::5', '2001:db8:0:1'],
  ['2001:db8:0:1:9:8:7:6', '2001:db8:0:1'],
  ['2001:0DB8::5', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['', ''],
])('counts %s as the host %s', (address, host) => {
  expect(hostOf(address)).toBe(host);
});

it('counts by host and in all, and forgets whoever has left', () => {
  const count = new AddressCount({ total: 3, perAddress: 2 });
  const leave = count.enter('10.0.0.1');
  expect(count.enter('::ffff:10.0.0.1')).toBeDefined();
  expect(count.enter('10.0.0.1')).toBeUndefined();
  expect(count.enter('10.0.0.2')).toBeDefined();
  expect(count.enter('10.0.0.3')).toBeUndefined();
  leave?.();
  leave?.();
  expect(count.total).toBe(2);
  expect(count.enter('10.0.0.1')).toBeDefined();
});

it('lets a burst pass, then so many a second', () => {
  const rate = new Rate({ burst: 2, perSecond: 10 }, 0);
  expect([rate.take(0), rate.take(0), rate.take(0), rate.take(50), rate.take(100), rate.take(150)]).toEqual([
    true,
    true,
    false,
    false,
    true,
    false,
  ]);
});
