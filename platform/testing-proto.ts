/** For tests: what stands in proto/, as far as a table over all RPCs and the numbers in their requests needs it. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { readdirSync, readFileSync } from 'node:fs';

export interface Field {
  readonly name: string;
  readonly number: number;
  /** As it stands there, or the full name of a message. */
  readonly type: string;
}

export interface Rpc {
  /** /package.Service/Method */
  readonly path: string;
  readonly request: string;
}

/** A number of 64 bits somewhere in a message: the fields on the way to it, it the last. */
export type NumberPath = readonly Field[];

const NUMBERS: ReadonlySet<string> = new Set(['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64']);

export class ProtoFiles {
  readonly rpcs: Rpc[] = [];
  /** By full name. */
  readonly #messages = new Map<string, Field[]>();

  /** `folder`: where all files of a set stand, as proto/etcd. */
  constructor(folder: URL) {
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.proto'),
    )) {
      this.#read(readFileSync(new URL(file, folder), 'utf8').replaceAll(/\/\/.*$/gm, ''));
    }
  }

  /** No message of it comes twice on the way. */
  *numbersOf(message: string, seen: readonly string[] = []): Generator<NumberPath> {
    for (const field of this.#messages.get(message) ?? []) {
      if (NUMBERS.has(field.type)) yield [field];
      const inner = this.#nameFor(field.type, message);
      if (inner === undefined || inner === message || seen.includes(inner)) continue;
      for (const path of this.numbersOf(inner, [...seen, message])) yield [field, ...path];
    }
  }

  #read(text: string): void {
    const [, name = ''] = /^package ([\w.]+);/m.exec(text) ?? [];
    const scope = name.split('.');
    const names = [name];
    for (const [, kind, named = '', method = '', request = '', type = '', field = '', number, close] of text.matchAll(
      STATEMENT,
    )) {
      const here = names.at(-1) ?? '';
      if (close !== undefined) names.pop();
      else if (method !== '') this.rpcs.push({ path: `/${here}/${method}`, request: `${name}.${request}` });
      else if (number !== undefined) this.#messages.get(here)?.push({ name: field, number: Number(number), type });
      else if (kind === 'oneof') names.push(here);
      else names.push(`${names.length > 1 ? here : scope.join('.')}.${named}`);
      if (kind === 'message') this.#messages.set(names.at(-1) ?? '', []);
    }
  }

  /** As protobuf looks names up: from the innermost scope outwards. */
  #nameFor(type: string, within: string): string | undefined {
    for (let scope = within; ; scope = scope.slice(0, Math.max(0, scope.lastIndexOf('.')))) {
      const name = scope === '' ? type : `${scope}.${type}`;
      if (this.#messages.has(name)) return name;
      if (scope === '') return undefined;
    }
  }
}

/** A block's beginning, an RPC, a field, or a block's end. */
const STATEMENT =
  /(message|oneof|enum|service)\s+(\w+)\s*\{|rpc\s+(\w+)\s*\(\s*(?:stream\s+)?([\w.]+)\s*\)|(?:(?:repeated|optional)\s+)?([\w.]+)\s+(\w+)\s*=\s*(\d+)\s*(?:\[[^\]]*\])?;|(\})/g;

/** A message with nothing in it but this number. `value`: any of 64 bits, signed or not. */
export function messageWith(path: NumberPath, value: bigint): Buffer {
  const [field, ...rest] = path;
  if (field === undefined) return Buffer.alloc(0);
  const writer = new BinaryWriter();
  if (rest.length > 0) writer.tag(field.number, WireType.LengthDelimited).bytes(messageWith(rest, value));
  else writer.tag(field.number, WireType.Varint).uint64(BigInt.asUintN(64, value));
  return Buffer.from(writer.finish());
}
