/** What is done with YAML, on this thread or another. */
import { stringify } from 'yaml';
import { parseJsonBytes } from '../../../apimachinery/json-value.js';
import { readYaml } from '../../../apimachinery/codec/yaml.js';
import type { YamlBody } from '../../../apimachinery/codec/yaml.js';
import type { Status } from '../../../apimachinery/status.js';

export type YamlTask =
  | { readonly kind: 'read'; readonly bytes: Uint8Array }
  /** `json`: the object to write, as UTF-8. */
  | { readonly kind: 'write'; readonly json: Uint8Array };

export type YamlResult =
  | { readonly kind: 'body'; readonly body: YamlBody }
  | { readonly kind: 'text'; readonly bytes: Uint8Array };

export type YamlAnswer =
  | { readonly kind: 'done'; readonly result: YamlResult }
  | { readonly kind: 'refused'; readonly status: Status }
  | { readonly kind: 'failed'; readonly message: string };

/** Throws ApiError for a body that is refused. */
export function runYamlTask(task: YamlTask): YamlResult {
  switch (task.kind) {
    case 'read':
      return { kind: 'body', body: readYaml(task.bytes) };
    case 'write':
      return { kind: 'text', bytes: writeYaml(parseJsonBytes(task.json)) };
  }
}

/** Values that several parts share are written out: Kubernetes' YAML has no anchors. Lines are not folded. */
export function writeYaml(value: unknown): Uint8Array {
  return Buffer.from(stringify(value, { aliasDuplicateObjects: false, lineWidth: 0, version: '1.1' }));
}
