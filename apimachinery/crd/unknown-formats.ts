/** Formats that schemas of a CRD name and nothing checks: kube-apiserver accepts them with a warning. */
import { isKnownFormat } from '../schema/formats.js';
import { isObject } from '../value.js';
import { entriesOf, listOf, textOf } from './structural.js';

/** In the order of the walk of kube-apiserver; each as often as it stands there. */
export function unknownFormats(definition: unknown): string[] {
  const spec = isObject(definition) ? definition['spec'] : undefined;
  const schemas = listOf(isObject(spec) ? spec['versions'] : undefined).map((version) =>
    isObject(version) && isObject(version['schema']) ? version['schema']['openAPIV3Schema'] : undefined,
  );
  // What all versions say is judged once.
  const distinct =
    schemas.length > 1 && new Set(schemas.map((schema) => JSON.stringify(schema))).size === 1
      ? schemas.slice(0, 1)
      : schemas;
  return distinct.flatMap(unknownIn);
}

function unknownIn(props: unknown): string[] {
  if (!isObject(props)) return [];
  const [type, format] = [textOf(props['type']), textOf(props['format'])];
  const below = [
    props['items'],
    ...listOf(props['items']),
    ...['allOf', 'anyOf', 'oneOf'].flatMap((word) => listOf(props[word])),
    props['not'],
    ...entriesOf(props['properties']).map(([, child]) => child),
    props['additionalProperties'],
  ];
  const own = format === '' || isKnownFormat(type, format) ? [] : [format];
  return [...own, ...below.flatMap(unknownIn)];
}
