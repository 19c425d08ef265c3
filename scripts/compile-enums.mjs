// Compiles the values that fields of built-in kinds are published with (`enum`) into apimachinery/data/enums.json.
// Input: an OpenAPI v2 document of the release, whole, as `kubectl get --raw /openapi/v2` prints it. The result is
// committed:
//   node scripts/compile-enums.mjs openapi-v2.json
// They are published, never validated: which values a field takes is its kind's strategy to decide.
import { readFileSync, writeFileSync } from 'node:fs';

const [source] = process.argv.slice(2);
if (source === undefined) {
  console.error('compile-enums: name an OpenAPI v2 document: node scripts/compile-enums.mjs openapi-v2.json');
  process.exit(1);
}
const published = JSON.parse(readFileSync(source, 'utf8')).definitions;
const definitions = JSON.parse(readFileSync('apimachinery/data/definitions.json', 'utf8'));

/** A list's values are those of its items, a map's those of its values. */
const valuesOf = (property) => property?.enum ?? property?.items?.enum ?? property?.additionalProperties?.enum;

const rows = [];
for (const [name, { properties = {} }] of Object.entries(definitions)) {
  const fields = Object.keys(properties)
    .sort()
    .flatMap((field) => {
      const values = valuesOf(published[name]?.properties?.[field]);
      return values === undefined ? [] : [[field, values]];
    });
  if (fields.length > 0) rows.push(`${JSON.stringify(name)}:${JSON.stringify(Object.fromEntries(fields))}`);
}
writeFileSync('apimachinery/data/enums.json', `{\n${rows.join(',\n')}\n}\n`);
console.log(`compile-enums: ${rows.length} definitions`);
