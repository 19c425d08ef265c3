/** Debian's etcdctl against the members' etcd API. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { mustRun, systemExecutor, type CommandResult } from '../../platform/exec.js';
import { Child } from './child.js';

export interface EtcdFiles {
  readonly endpoints: readonly string[];
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export function hasEtcdctl(): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, 'etcdctl')));
}

export interface EndpointStatus {
  readonly Endpoint: string;
  readonly Status: {
    readonly header: { readonly member_id: number; readonly revision: number };
    readonly leader: number;
    readonly raftTerm: number;
  };
}

export interface EndpointHash {
  readonly Endpoint: string;
  readonly HashKV: { readonly hash: number; readonly compact_revision?: number };
}

export class Etcdctl {
  readonly #files: EtcdFiles;

  constructor(files: EtcdFiles) {
    this.#files = files;
  }

  #args(args: readonly string[], endpoints = this.#files.endpoints): string[] {
    return [
      '--endpoints',
      endpoints.join(','),
      '--cacert',
      this.#files.ca,
      '--cert',
      this.#files.certificate,
      '--key',
      this.#files.key,
      ...args,
    ];
  }

  run(args: readonly string[], endpoints?: readonly string[]): Promise<CommandResult> {
    return systemExecutor.run('etcdctl', this.#args(args, endpoints));
  }

  ok(args: readonly string[], endpoints?: readonly string[]): Promise<string> {
    return mustRun(systemExecutor, 'etcdctl', this.#args(args, endpoints));
  }

  async status(): Promise<EndpointStatus[]> {
    return JSON.parse(await this.ok(['endpoint', 'status', '-w', 'json'])) as EndpointStatus[];
  }

  /** Every member's hash over all keys and their history up to `revision`. */
  async hashes(revision: number): Promise<EndpointHash[]> {
    return JSON.parse(await this.ok(['endpoint', 'hashkv', '--rev', String(revision), '-w', 'json'])) as EndpointHash[];
  }

  start(args: readonly string[]): Child {
    return new Child('etcdctl', this.#args(args));
  }
}
