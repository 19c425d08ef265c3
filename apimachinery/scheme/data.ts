/** Reads the compiled facts (apimachinery/data): each file once, when first asked for. */
import { readFileSync } from 'node:fs';
import type { Encoding, Schema } from '../schema.js';

interface SubresourceRow {
  readonly name: string;
  readonly verbs: readonly string[];
  /** The kind of its body where it is not the parent's. */
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
}

export interface KindRow {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Absent where there is nothing to list (reviews, bindings). */
  readonly listKind?: string;
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly subresources?: readonly SubresourceRow[];
  /** Name of the kind's definition. */
  readonly definition: string;
}

export interface ProtobufData {
  readonly packages: readonly string[];
  /**
   * Package -> message -> its fields, as `name=number[shape][!]:type` with a space between
   * (codec/protobuf/messages.ts).
   */
  readonly messages: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

function once<T>(file: string): () => T {
  let value: T | undefined;
  return () => {
    value ??= JSON.parse(readFileSync(new URL(`../data/${file}`, import.meta.url), 'utf8')) as T;
    return value;
  };
}

export const kindRows = once<readonly KindRow[]>('kinds.json');
const definitionFacts = once<Readonly<Record<string, Schema>>>('definitions.json');
/**
 * Definition -> how fields are encoded when they are empty, as names with a space between; read off Kubernetes' Go
 * types.
 */
const encodingFacts = once<Readonly<Record<string, Partial<Record<Encoding, string>>>>>('encoding.json');

/** Definition -> field -> the values it is published with (scripts/compile-enums.mjs). */
export const enumFacts = once<Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>>('enums.json');

/**
 * Definition, without `io.k8s.api.` -> field -> what it is for, in our own words; the empty name is the definition
 * itself.
 */
export const descriptionFacts = once<Readonly<Record<string, Readonly<Record<string, string>>>>>('descriptions.json');

let definitions: Readonly<Record<string, Schema>> | undefined;

export function builtInDefinitions(): Readonly<Record<string, Schema>> {
  definitions ??= Object.fromEntries(
    Object.entries(definitionFacts()).map(([name, schema]) => [
      name,
      withEncodings(schema, encodingFacts()[name] ?? {}),
    ]),
  );
  return definitions;
}

function withEncodings(schema: Schema, facts: Partial<Record<Encoding, string>>): Schema {
  const properties = { ...schema.properties };
  for (const [encoding, names] of Object.entries(facts)) {
    for (const name of names.split(' ')) properties[name] = { ...properties[name], encoding: encoding as Encoding };
  }
  return schema.properties === undefined ? schema : { ...schema, properties };
}

export const protobufData = once<ProtobufData>('protobuf.json');
