import { describe, expect, it } from 'vitest';
import { hostOf, servingNames } from './serving-names.js';

const reserved = ['m1', '192.0.2.1', 'api.example.test', '10.96.0.1'];

describe("the names of a worker's serving certificate", () => {
  it.each([
    ['w1', '192.0.2.21:40000', ['w1', '192.0.2.21']],
    ['w1', '[::ffff:192.0.2.21]:40000', ['w1', '192.0.2.21']],
    ['w1', '[2001:db8::21]:40000', ['w1', '2001:db8::21']],
    ['w1.example.test', 'unix:/run/x', ['w1.example.test']],
  ])('%s from %s', (node, peer, names) => expect(servingNames(node, peer, reserved)).toEqual(names));

  it.each([
    ["a member's address", 'w1', '192.0.2.1:1', ['w1']],
    ['loopback', 'w1', '127.0.0.1:1', ['w1']],
    ["a member's name", 'm1', '192.0.2.21:1', ['192.0.2.21']],
    ["the load balancer's name", 'api.example.test', '192.0.2.21:1', ['192.0.2.21']],
    ["the API's name", 'kubernetes.default.svc', '192.0.2.21:1', ['192.0.2.21']],
    ['a name that is an address', '10.96.0.1', '127.0.0.1:1', []],
    ["an address that is not the caller's", '192.0.2.99', '192.0.2.21:1', ['192.0.2.21']],
  ])('never %s', (_what, node, peer, names) => expect(servingNames(node, peer, reserved)).toEqual(names));

  it.each([
    ['192.0.2.1:2379', '192.0.2.1'],
    ['[2001:db8::1]:2379', '2001:db8::1'],
    ['m1.example.test:2379', 'm1.example.test'],
  ])('an endpoint %s is at %s', (endpoint, host) => expect(hostOf(endpoint)).toBe(host));
});
