/**
 * Field selectors: `metadata.name=a,status.phase!=Running` (k8s.io/apimachinery/pkg/fields). `\` escapes `,`, `=` and
 * itself.
 */
import type { Kind } from '../kind.js';
import { apiErrors } from '../status.js';

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** Throws ApiError BadRequest. Absent and empty text gives no requirements. */
export function parseFieldSelector(text: string | undefined): readonly FieldRequirement[] {
  if (text === undefined || text === '') return [];
  // `=` names neither a field nor a value: it requires nothing.
  return splitTerms(text)
    .filter((term) => term !== '')
    .sort()
    .map((term) => parseTerm(term, text))
    .filter(({ field, value }) => field !== '' || value !== '');
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === ',') {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function parseTerm(term: string, text: string): FieldRequirement {
  const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
  if (match === null)
    throw apiErrors.badRequest(`invalid selector: '${text.slice(0, 256)}'; can't understand '${term.slice(0, 256)}'`);
  const [, field = '', operator, value = ''] = match;
  return { field, operator: operator === '!=' ? '!=' : '=', value: unescape(value) };
}

function unescape(value: string): string {
  let plain = '';
  for (let at = 0; at < value.length; at += 1) {
    const char = value[at] ?? '';
    if (char === '=')
      throw apiErrors.badRequest(`invalid field selector: unescaped character in value: ${char.charCodeAt(0)}`);
    if (char !== '\\') {
      plain += char;
      continue;
    }
    at += 1;
    const escaped = value[at] ?? '';
    if (escaped !== ',' && escaped !== '=' && escaped !== '\\')
      throw apiErrors.badRequest(`invalid field selector: invalid escape sequence: \\${escaped}`);
    plain += escaped;
  }
  return plain;
}

/** True when all requirements hold; `valueOf` gives a field's value, '' when it is unset. */
export function matchesFields(requirements: readonly FieldRequirement[], valueOf: (field: string) => string): boolean {
  return requirements.every(({ field, operator, value }) => (valueOf(field) === value) === (operator === '='));
}

/** The value a field must have, when the selector says so: lets `metadata.name=x` become a read of one key. */
export function requiredValue(requirements: readonly FieldRequirement[], field: string): string | undefined {
  return requirements.find((requirement) => requirement.field === field && requirement.operator === '=')?.value;
}

/** What the objects of a kind can be selected by. */
export interface SelectableFields {
  readonly fields: readonly string[];
  /** What is said of any other field. */
  readonly refusal: (field: string) => string;
}

const METADATA_FIELDS: readonly string[] = ['metadata.name', 'metadata.namespace'];

/** Of a kind that names no fields (k8s.io/apimachinery, runtime.DefaultMetaV1FieldSelectorConversion). */
const METADATA_ONLY: SelectableFields = {
  fields: METADATA_FIELDS,
  refusal: (field) =>
    `${JSON.stringify(field)} is not a known field selector: only ${METADATA_FIELDS.map((known) => JSON.stringify(known)).join(', ')}`,
};

/**
 * A kind that names fields, as every custom resource does, has no `metadata.namespace` where its objects are in none.
 */
export function selectableFields(
  kind: Pick<Kind, 'namespaced' | 'isCustom' | 'fieldSelectors' | 'fieldRefusal'>,
): SelectableFields {
  const own = Object.keys(kind.fieldSelectors);
  if (own.length === 0 && kind.isCustom !== true) return METADATA_ONLY;
  return {
    fields: ['metadata.name', ...(kind.namespaced ? ['metadata.namespace'] : []), ...own],
    refusal: kind.fieldRefusal ?? ((field) => `field label not supported: ${field}`),
  };
}

/** Throws ApiError BadRequest for a field that cannot be selected. */
export function checkFields(requirements: readonly FieldRequirement[], { fields, refusal }: SelectableFields): void {
  const unknown = requirements.find(({ field }) => !fields.includes(field));
  if (unknown !== undefined) throw apiErrors.badRequest(refusal(unknown.field));
}

export function formatFieldSelector(requirements: readonly FieldRequirement[]): string {
  return requirements
    .map(({ field, operator, value }) => `${field}${operator}${value.replace(/[\\,=]/g, '\\$&')}`)
    .join(',');
}
