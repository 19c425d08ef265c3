/** Kubernetes' named formats: `format.dns1123Label().validate(x)` gives the complaints, or none. */
import { dns1035Label, dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../../names.js';
import { hasFormat } from '../../schema/formats.js';
import type { Library } from '../check/declare.js';
import { OPAQUE, global, member } from '../check/declare.js';
import { ArrayList, Opaque, Optional } from '../values/values.js';
import { isRequestUri } from './urls.js';

type Validate = (text: string) => readonly string[];

export class FormatValue extends Opaque {
  readonly type = OPAQUE.Format;
  readonly name: string;
  readonly validate: Validate;
  /** Length of the pattern that stands for the check in costs. */
  readonly patternLength: number;

  constructor(
    name: string,
    { validate, patternLength }: { readonly validate: Validate; readonly patternLength: number },
  ) {
    super();
    this.name = name;
    this.validate = validate;
    this.patternLength = patternLength;
  }

  equals(other: Opaque): boolean {
    return other instanceof FormatValue && other.name === this.name;
  }
}

/** The end of a prefix may be a dash: more follows. */
const prefix =
  (validate: Validate): Validate =>
  (text) =>
    validate(text.length > 1 && text.endsWith('-') ? `${text.slice(0, -2)}a` : text);
const openApi =
  (format: string, complaint: string): Validate =>
  (text) =>
    hasFormat(text, format) ? [] : [complaint];
/** As long as the pattern of a date-time. */
const DATE_PATTERN = 71;

const FORMATS: readonly (readonly [name: string, validate: Validate, patternLength: number])[] = [
  ['dns1123Label', dns1123Label, 30],
  ['dns1123Subdomain', dns1123Subdomain, 60],
  ['dns1035Label', dns1035Label, 30],
  ['qualifiedName', qualifiedName, 60],
  ['dns1123LabelPrefix', prefix(dns1123Label), 30],
  ['dns1123SubdomainPrefix', prefix(dns1123Subdomain), 60],
  ['dns1035LabelPrefix', prefix(dns1035Label), 30],
  ['labelValue', labelValue, 40],
  ['uri', (text) => (isRequestUri(text) ? [] : [`parse ${JSON.stringify(text)}: invalid URI for request`]), 1103],
  ['uuid', openApi('uuid', 'does not match the UUID format'), 70],
  ['byte', openApi('byte', 'invalid base64'), 84],
  ['date', openApi('date', 'invalid date'), DATE_PATTERN],
  ['datetime', openApi('datetime', 'invalid datetime'), DATE_PATTERN],
];
const VALUES = new Map(
  FORMATS.map(([name, validate, patternLength]) => [name, new FormatValue(name, { validate, patternLength })]),
);

function validated(format: FormatValue, text: string): Optional {
  const complaints = format.validate(text);
  return complaints.length === 0 ? Optional.none : Optional.of(new ArrayList([...complaints]));
}

function named(name: string): Optional {
  const format = VALUES.get(name);
  return format === undefined ? Optional.none : Optional.of(format);
}

export const FORMAT_LIBRARY: Library = {
  ...Object.fromEntries(
    [...VALUES].map(([name, value]) => [`format.${name}`, [global(`format.${name}`, '() Format', () => value)]]),
  ),
  'format.named': [global('format-named', '(string) optional(Format)', named)],
  validate: [member('format-validate', '(Format, string) optional(list(string))', validated)],
};
