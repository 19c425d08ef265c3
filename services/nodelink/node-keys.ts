/**
 * Whose a node's name is: the key that its worker joined with is recorded on the Node, which is made when the worker
 * joins. Another key gets the name only after an administrator has deleted the Node; certificates over the former key
 * are good for nothing from then on.
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { Node } from '../../apimachinery/gen/types.js';
import { nodes } from '../../apimachinery/gen/resources.js';
import { isApiError } from '../../apimachinery/status.js';
import { WORKER_KEYS_ANNOTATION } from '../../apimachinery/well-known.js';
import type { Client } from '../../sdk/client.js';
import type { IdentifiedCall } from './identity.js';

const ATTEMPTS_MAX = 5;

export type KeyVerdict =
  /** The node's own. */
  | 'own'
  /** The node has no key on record, or there is no Node. */
  | 'unrecorded'
  | 'foreign';

export class NameInUseError extends Error {
  override readonly name = 'NameInUseError';
  constructor(node: string) {
    super(
      `node "${node}" belongs to the cluster already, and this host does not hold its key: choose another --name, or, if the host was installed anew, delete the node first (kubectl delete node ${node})`,
    );
  }
}

/**
 * Hex SHA-256 over a key's SubjectPublicKeyInfo; several while a worker changes keys, separated by commas, the newest
 * last.
 */
const keysOn = (node: Node): string[] =>
  (node.metadata?.annotations?.[WORKER_KEYS_ANNOTATION] ?? '').split(',').filter((key) => key !== '');

export function judgeKey(node: Node | undefined, key: string): KeyVerdict {
  const keys = node === undefined ? [] : keysOn(node);
  if (keys.length === 0) return 'unrecorded';
  return keys.includes(key) ? 'own' : 'foreign';
}

export const keyAnnotation = (...keys: readonly string[]): Record<string, string> => ({
  [WORKER_KEYS_ANNOTATION]: [...new Set(keys)].join(','),
});

/** Of the certificate that the caller's connection was opened with; undefined without one. */
export function keyOfCall(call: IdentifiedCall): string | undefined {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  if (raw === undefined) return undefined;
  const der = new X509Certificate(raw).publicKey.export({ format: 'der', type: 'spki' });
  return createHash('sha256').update(der).digest('hex');
}

export class NodeKeys {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Throws NameInUseError when another key holds the name. A Node from before keys were recorded holds it too. */
  async check(name: string, key: string): Promise<KeyVerdict> {
    const node = await this.#read(name);
    const verdict = judgeKey(node, key);
    if (node !== undefined && verdict !== 'own') throw new NameInUseError(name);
    return verdict;
  }

  /** Takes the name for the key. Of two that come at once one is refused. */
  async claim(name: string, key: string): Promise<void> {
    if ((await this.check(name, key)) === 'own') return;
    try {
      await this.#client.create<Node>(nodes, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, annotations: keyAnnotation(key) },
        spec: {},
      });
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
      await this.check(name, key);
    }
  }

  /** A worker changes its key: until it has the new certificate it comes with the old one. Throws NameInUseError. */
  async change(name: string, from: string, to: string): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const node = await this.#read(name);
      if (judgeKey(node, from) === 'foreign') throw new NameInUseError(name);
      if (node === undefined || judgeKey(node, to) === 'own') return;
      try {
        await this.#client.update<Node>(nodes, {
          ...node,
          metadata: { ...node.metadata, annotations: { ...node.metadata?.annotations, ...keyAnnotation(from, to) } },
        });
        return;
      } catch (error) {
        if (!isApiError(error, 'Conflict')) throw error;
      }
    }
  }

  async #read(name: string): Promise<Node | undefined> {
    try {
      return await this.#client.get<Node>(nodes, { name });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}
