/** Row "`explain` shows nothing": what `kubectl explain` reads, in both versions of the documents. */
import { describe, expect, it } from 'vitest';
import { builtInScheme } from '../scheme/builtin.js';
import { enumFacts } from '../scheme/data.js';
import { OpenApi } from './openapi.js';

interface Words {
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Words>>;
  readonly items?: Words;
  readonly additionalProperties?: Words;
}
type Definitions = Readonly<Record<string, Words>>;

const read = (bytes: Uint8Array | undefined) => JSON.parse(Buffer.from(bytes ?? '{}').toString()) as { paths: Record<string, unknown>; definitions: Definitions; components: { schemas: Definitions } };
const api = new OpenApi(builtInScheme(), { version: 'v1.36.0' });
const v3 = Object.assign({}, ...Object.keys(read(api.index().bytes).paths).map((path) => read(api.document(path)?.bytes).components.schemas)) as Definitions;
const documents: [string, Definitions][] = [['v3', v3], ['v2', read(api.v2().bytes).definitions]];

describe.each(documents)('OpenAPI %s', (_version, definitions) => {
  const fields = Object.entries(enumFacts()).flatMap(([name, fields]) => Object.entries(fields).map(([field, values]) => ({ name, field, values })));

  it.each(fields)('$name $field has its values', ({ name, field, values }) => {
    const property = definitions[name]?.properties?.[field];
    expect(property?.items?.enum ?? property?.additionalProperties?.enum ?? property?.enum).toEqual(values);
  });

  it('a value stands where it is written: in the field, in the list\'s items, in the map\'s values', () => {
    expect(definitions['io.k8s.api.core.v1.PodSpec']?.properties?.['restartPolicy']?.enum).toEqual(['Always', 'Never', 'OnFailure']);
    expect(definitions['io.k8s.api.core.v1.PersistentVolumeClaimSpec']?.properties?.['accessModes']?.items?.enum).toContain('ReadWriteOncePod');
    expect(definitions['io.k8s.api.core.v1.PersistentVolumeClaimStatus']?.properties?.['allocatedResourceStatuses']?.additionalProperties?.enum).toContain('NodeResizePending');
  });
});
