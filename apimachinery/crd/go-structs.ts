/**
 * Parts of a CRD as Go prints its own structs for them: complaints about a schema or a version as a whole show these,
 * with every field and the names that the types of k8s.io/apiextensions-apiserver/pkg/apis/apiextensions have.
 */
import type { FieldError } from '../status.js';
import { fieldErrors } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { encodeJson } from '../json-value.js';
import { entriesOf, textOf } from './structural.js';

type Fields = Readonly<Record<string, unknown>>;
type Print = (item: JsonObject) => unknown;

/** Two or three schemas: the names of the fields alone take a kilobyte each. */
const SHOWN_MAX = 4096;
/** Of one schema, at least. */
const SCHEMA_LENGTH_MIN = 700;

const orNull = (value: unknown): unknown => value ?? null;
const flag = (value: unknown): boolean => value === true;
const structs = (value: unknown, print: Print): unknown =>
  Array.isArray(value) ? value.filter(isObject).map(print) : null;
const struct = (value: unknown, print: Print): unknown => (isObject(value) ? print(value) : null);
const mapped = (value: unknown, print: Print): unknown =>
  isObject(value)
    ? Object.fromEntries(
        entriesOf(value)
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, child]) => [name, print(child)]),
      )
    : null;

/** Prints as many schemas as are shown; what is cut off is not walked. */
class Printer {
  #left = SHOWN_MAX;

  /** JSONSchemaProps. */
  readonly schema = (props: JsonObject): Fields | null => {
    if (this.#left < 0) return null;
    this.#left -= SCHEMA_LENGTH_MIN;
    const { schema } = this;
    return {
      ID: textOf(props['id']),
      Schema: textOf(props['$schema']),
      Ref: orNull(props['$ref']),
      Description: textOf(props['description']),
      Type: textOf(props['type']),
      Nullable: flag(props['nullable']),
      Format: textOf(props['format']),
      Title: textOf(props['title']),
      Default: orNull(props['default']),
      Maximum: orNull(props['maximum']),
      ExclusiveMaximum: flag(props['exclusiveMaximum']),
      Minimum: orNull(props['minimum']),
      ExclusiveMinimum: flag(props['exclusiveMinimum']),
      MaxLength: orNull(props['maxLength']),
      MinLength: orNull(props['minLength']),
      Pattern: textOf(props['pattern']),
      MaxItems: orNull(props['maxItems']),
      MinItems: orNull(props['minItems']),
      UniqueItems: flag(props['uniqueItems']),
      MultipleOf: orNull(props['multipleOf']),
      Enum: orNull(props['enum']),
      MaxProperties: orNull(props['maxProperties']),
      MinProperties: orNull(props['minProperties']),
      Required: orNull(props['required']),
      Items: this.items(props['items']),
      AllOf: structs(props['allOf'], schema),
      OneOf: structs(props['oneOf'], schema),
      AnyOf: structs(props['anyOf'], schema),
      Not: struct(props['not'], schema),
      Properties: mapped(props['properties'], schema),
      AdditionalProperties: this.#schemaOrBool(props['additionalProperties']),
      PatternProperties: mapped(props['patternProperties'], schema),
      Dependencies: mapped(props['dependencies'], schema),
      AdditionalItems: this.#schemaOrBool(props['additionalItems']),
      Definitions: mapped(props['definitions'], schema),
      ExternalDocs: struct(props['externalDocs'], (docs) => ({
        Description: textOf(docs['description']),
        URL: textOf(docs['url']),
      })),
      Example: orNull(props['example']),
      XPreserveUnknownFields: orNull(props['x-kubernetes-preserve-unknown-fields']),
      XEmbeddedResource: flag(props['x-kubernetes-embedded-resource']),
      XIntOrString: flag(props['x-kubernetes-int-or-string']),
      XListMapKeys: orNull(props['x-kubernetes-list-map-keys']),
      XListType: orNull(props['x-kubernetes-list-type']),
      XMapType: orNull(props['x-kubernetes-map-type']),
      XValidations: structs(props['x-kubernetes-validations'], ruleFields),
    };
  };

  /** JSONSchemaPropsOrArray. */
  items(items: unknown): unknown {
    if (Array.isArray(items)) return { Schema: null, JSONSchemas: structs(items, this.schema) };
    return struct(items, (one) => ({ Schema: this.schema(one), JSONSchemas: null }));
  }

  #schemaOrBool(value: unknown): unknown {
    if (typeof value === 'boolean') return { Allows: value, Schema: null };
    return struct(value, (one) => ({ Allows: true, Schema: this.schema(one) }));
  }

  /** CustomResourceDefinitionVersion. */
  readonly version = (version: JsonObject): Fields => ({
    Name: textOf(version['name']),
    Served: flag(version['served']),
    Storage: flag(version['storage']),
    Deprecated: flag(version['deprecated']),
    DeprecationWarning: orNull(version['deprecationWarning']),
    Schema: struct(version['schema'], (schema) => ({
      OpenAPIV3Schema: struct(schema['openAPIV3Schema'], this.schema),
    })),
    Subresources: struct(version['subresources'], (subresources) => ({
      Status: struct(subresources['status'], () => ({})),
      Scale: struct(subresources['scale'], scaleFields),
    })),
    AdditionalPrinterColumns: structs(version['additionalPrinterColumns'], columnFields),
    SelectableFields: structs(version['selectableFields'], (selectable) => ({
      JSONPath: textOf(selectable['jsonPath']),
    })),
  });
}

const ruleFields = (rule: JsonObject): Fields => ({
  Rule: textOf(rule['rule']),
  Message: textOf(rule['message']),
  MessageExpression: textOf(rule['messageExpression']),
  Reason: orNull(rule['reason']),
  FieldPath: textOf(rule['fieldPath']),
  OptionalOldSelf: orNull(rule['optionalOldSelf']),
});

const scaleFields = (scale: JsonObject): Fields => ({
  SpecReplicasPath: textOf(scale['specReplicasPath']),
  StatusReplicasPath: textOf(scale['statusReplicasPath']),
  LabelSelectorPath: orNull(scale['labelSelectorPath']),
});

const columnFields = (column: JsonObject): Fields => ({
  Name: textOf(column['name']),
  Type: textOf(column['type']),
  Format: textOf(column['format']),
  Description: textOf(column['description']),
  Priority: column['priority'] ?? 0,
  JSONPath: textOf(column['jsonPath']),
});

export const invalidRule = (field: string, rule: JsonObject, why: string): FieldError =>
  invalidStruct(field, ruleFields(rule), why);
export const invalidItems = (field: string, items: unknown, why: string): FieldError =>
  invalidStruct(field, new Printer().items(items), why);
export const invalidVersions = (field: string, versions: unknown, why: string): FieldError =>
  invalidStruct(field, structs(versions, new Printer().version), why);

function invalidStruct(field: string, value: unknown, why: string): FieldError {
  const text = encodeJson(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return {
    type: 'FieldValueInvalid',
    field,
    detail: `Invalid value: ${text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text}: ${why}`,
  };
}

/**
 * What may stand at the root of a schema whose status is a subresource: the schema of the status is taken out of
 * `properties`.
 */
const ROOT_ALLOWED =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems ' +
  'MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';
const FORBIDDEN_BEFORE_TYPE = ['id', '$schema', '$ref'];
const FORBIDDEN_AFTER_TYPE = [
  'nullable',
  'default',
  'enum',
  'maxProperties',
  'minProperties',
  'allOf',
  'oneOf',
  'anyOf',
  'not',
  'additionalProperties',
  'patternProperties',
  'dependencies',
  'additionalItems',
  'definitions',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-list-type',
  'x-kubernetes-map-type',
];
/** Pointers to what may be false or empty. */
const POINTERS = new Set([
  '$ref',
  'additionalProperties',
  'additionalItems',
  'x-kubernetes-list-type',
  'x-kubernetes-map-type',
]);

/** Of the first field that is wrong. */
export function statusRootErrors(props: JsonObject, path: string): FieldError[] {
  const isThere = (name: string): boolean => {
    const value = props[name];
    return value !== undefined && value !== null && (POINTERS.has(name) || (value !== '' && value !== false));
  };
  const type = textOf(props['type']);
  if (!FORBIDDEN_BEFORE_TYPE.some(isThere) && type !== '' && type !== 'object') {
    return [
      fieldErrors.invalid(
        `${path}.type`,
        type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    ];
  }
  if (![...FORBIDDEN_BEFORE_TYPE, ...FORBIDDEN_AFTER_TYPE].some(isThere)) return [];
  return [
    invalidStruct(
      path,
      new Printer().schema(props),
      `only [${ROOT_ALLOWED}] fields are allowed at the root of the schema if the status subresource is enabled`,
    ),
  ];
}
