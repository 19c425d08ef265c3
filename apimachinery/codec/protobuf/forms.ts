/** The messages with a JSON form of their own, put together once with the tools they need. */
import { formatDuration, parseDuration } from '../../duration.js';
import { isObject } from '../../value.js';
import type { JsonObject } from '../../value.js';
import { decodeJson } from '../json.js';
import { specialForms } from './special.js';
import type { SpecialForm } from './special.js';
import { ProtobufError } from './wire.js';

/** A message that stands for one of two JSON values; its fields are read and written as of any message. */
interface UnionForm {
  toJson(message: JsonObject): unknown;
  fromJson(value: unknown): JsonObject;
}

const orArray: UnionForm = {
  toJson: (message) => message['jSONSchemas'] ?? message['schema'],
  fromJson: (value) => (Array.isArray(value) ? { jSONSchemas: value } : { schema: value }),
};
const orBool: UnionForm = {
  toJson: (message) => message['schema'] ?? message['allows'] ?? false,
  fromJson: (value) => (isObject(value) ? { allows: true, schema: value } : { allows: value === true }),
};
const orStringArray: UnionForm = {
  toJson: (message) => message['property'] ?? message['schema'],
  fromJson: (value) => (Array.isArray(value) ? { property: value } : { schema: value }),
};

function durationOf(text: string): number {
  const ns = parseDuration(text);
  if (ns === undefined) throw new ProtobufError(`not a duration: ${JSON.stringify(text)}`);
  return ns;
}

let made:
  | { readonly special: ReadonlyMap<string, SpecialForm>; readonly unions: ReadonlyMap<string, UnionForm> }
  | undefined;

export function forms(): NonNullable<typeof made> {
  made ??= {
    special: specialForms({ parseJson: (bytes) => decodeJson(bytes), formatDuration, parseDuration: durationOf }),
    unions: new Map(
      ['v1', 'v1beta1'].flatMap((version): [string, UnionForm][] => {
        const prefix = `k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.${version}.JSONSchemaPropsOr`;
        return [
          [`${prefix}Array`, orArray],
          [`${prefix}Bool`, orBool],
          [`${prefix}StringArray`, orStringArray],
        ];
      }),
    ),
  };
  return made;
}
