/**
 * Forms of names (k8s.io/apimachinery/pkg/util/validation). Each function gives the complaints, in Kubernetes' words;
 * an empty list means the name is good.
 */
import { isIP } from 'node:net';

const DNS1123_LABEL_MAX = 63;
const DNS1123_SUBDOMAIN_MAX = 253;
const LABEL_VALUE_MAX = 63;

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const DNS1123_LABEL = new RegExp(`^${LABEL}$`);
const DNS1123_SUBDOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const DNS1035_LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const QUALIFIED_NAME = new RegExp(`^${QUALIFIED}$`);
const LABEL_VALUE = new RegExp(`^(${QUALIFIED})?$`);
const PORT_NAME = /^[-a-z0-9]+$/;
const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;

const tooLong = (max: number, unit: 'characters' | 'bytes' = 'characters'): string =>
  `must be no more than ${max} ${unit}`;

const DNS1123_LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " +
  "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS1123_SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and " +
  "end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS1035_LABEL_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end " +
  "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const WILDCARD_SUBDOMAIN = new RegExp(`^\\*\\.${LABEL}(\\.${LABEL})*$`);
const WILDCARD_SUBDOMAIN_RULE =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case " +
  "alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is " +
  "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. " +
  "'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end " +
  "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/** Patterns never see more than this: what is longer is refused by its length alone. */
const PATTERN_CHARS_MAX = 1024;

interface Form {
  readonly max: number;
  /** Of labels and their keys Kubernetes says "bytes". */
  readonly unit?: 'bytes';
  readonly pattern: RegExp;
  readonly rule: string;
}

function check(name: string, { max, unit, pattern, rule }: Form): string[] {
  const complaints = name.length > max ? [tooLong(max, unit)] : [];
  if (name.length <= PATTERN_CHARS_MAX && !pattern.test(name)) complaints.push(rule);
  return complaints;
}

export function dns1123Label(name: string): string[] {
  const hasOnlyDotsWrong =
    name.length <= PATTERN_CHARS_MAX && !DNS1123_LABEL.test(name) && DNS1123_SUBDOMAIN.test(name);
  return check(name, {
    max: DNS1123_LABEL_MAX,
    pattern: DNS1123_LABEL,
    rule: hasOnlyDotsWrong ? 'must not contain dots' : DNS1123_LABEL_RULE,
  });
}
export const dns1123Subdomain = (name: string): string[] =>
  check(name, { max: DNS1123_SUBDOMAIN_MAX, pattern: DNS1123_SUBDOMAIN, rule: DNS1123_SUBDOMAIN_RULE });
/** `*.example.com`: the star stands for one whole label. */
export const wildcardSubdomain = (name: string): string[] =>
  check(name, { max: DNS1123_SUBDOMAIN_MAX, pattern: WILDCARD_SUBDOMAIN, rule: WILDCARD_SUBDOMAIN_RULE });
export const dns1035Label = (name: string): string[] =>
  check(name, { max: DNS1123_LABEL_MAX, pattern: DNS1035_LABEL, rule: DNS1035_LABEL_RULE });
export const labelValue = (value: string): string[] =>
  check(value, { max: LABEL_VALUE_MAX, unit: 'bytes', pattern: LABEL_VALUE, rule: LABEL_VALUE_RULE });

/** Keys of annotations and taints; names of extended resources: `[prefix/]name`. */
export const qualifiedName = (text: string): string[] => prefixedName(text, 'a qualified name');
/** The same of a label, whose rule has a name of its own. */
export const labelKey = (text: string): string[] => prefixedName(text, 'a valid label key');

/** Nearly all are in order: that is found out without taking them apart. */
function isPrefixedName(text: string): boolean {
  const slash = text.indexOf('/');
  const name = slash < 0 ? text : text.slice(slash + 1);
  if (name.length > LABEL_VALUE_MAX || !QUALIFIED_NAME.test(name)) return false;
  return slash < 0 || (slash <= DNS1123_SUBDOMAIN_MAX && DNS1123_SUBDOMAIN.test(text.slice(0, slash)));
}

function prefixedName(text: string, what: string): string[] {
  if (isPrefixedName(text)) return [];
  const parts = text.split('/');
  const [first = '', second] = parts;
  if (parts.length > 2) {
    return [`${what} ${QUALIFIED_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const name = second ?? first;
  const complaints: string[] = [];
  if (second !== undefined) {
    if (first === '') complaints.push('prefix part must be non-empty');
    else complaints.push(...dns1123Subdomain(first).map((complaint) => `prefix part ${complaint}`));
  }
  if (name === '') complaints.push('name part must be non-empty');
  complaints.push(
    ...check(name, { max: LABEL_VALUE_MAX, unit: 'bytes', pattern: QUALIFIED_NAME, rule: QUALIFIED_RULE }).map(
      (complaint) => `name part ${complaint}`,
    ),
  );
  return complaints;
}

const PORT_NAME_MAX = 15;

/** Names of ports (IANA_SVC_NAME, RFC 6335). */
export function portName(name: string): string[] {
  const complaints: string[] = [];
  if (name.length > PORT_NAME_MAX) complaints.push(`must be no more than ${PORT_NAME_MAX} characters`);
  if (!PORT_NAME.test(name)) complaints.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(name)) complaints.push('must contain at least one letter (a-z)');
  if (name.includes('--')) complaints.push('must not contain consecutive hyphens');
  if (name.startsWith('-') || name.endsWith('-')) complaints.push('must not begin or end with a hyphen');
  return complaints;
}

export function portNumber(port: number): string[] {
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? [] : ['must be between 1 and 65535, inclusive'];
}

/** Names of environment variables as Kubernetes takes them since 1.34 (RelaxedEnvironmentVariableValidation). */
export function printableName(name: string): string[] {
  return /^[\x20-\x3c\x3e-\x7e]*$/.test(name)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

export function httpHeaderName(name: string): string[] {
  return /^[-A-Za-z0-9]+$/.test(name)
    ? []
    : [
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
      ];
}

const UNDERSCORED_LABEL = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const UNDERSCORED_SUBDOMAIN = new RegExp(`^${UNDERSCORED_LABEL}(\\.${UNDERSCORED_LABEL})*$`);
const UNDERSCORED_SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start " +
  "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";

/** Search domains of resolvers, where names of service records occur. */
export const underscoredSubdomain = (name: string): string[] =>
  check(name, { max: DNS1123_SUBDOMAIN_MAX, pattern: UNDERSCORED_SUBDOMAIN, rule: UNDERSCORED_SUBDOMAIN_RULE });

/** An address of either family. */
export const ipAddress = (text: string): string[] =>
  isIP(text) === 0 ? ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'] : [];

export function configMapKey(key: string): string[] {
  if (key.length > DNS1123_SUBDOMAIN_MAX) return [tooLong(DNS1123_SUBDOMAIN_MAX)];
  const complaints = CONFIG_KEY.test(key)
    ? []
    : [
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', " +
          "regex used for validation is '[-._a-zA-Z0-9]+')",
      ];
  return [...complaints, ...dots(key)];
}

/** Names that become file names must not lead out of their folder. */
function dots(name: string): string[] {
  if (name === '.') return ["must not be '.'"];
  if (name === '..') return ["must not be '..'"];
  return name.startsWith('..') ? ["must not start with '..'"] : [];
}

/** Names of RBAC objects and other kinds whose names only have to fit into a URL's path. */
export function pathSegment(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].filter((illegal) => name.includes(illegal)).map((illegal) => `may not contain '${illegal}'`);
}

/** Names of controllers and the like: a domain, a slash, and a path. */
export function domainPrefixedPath(text: string): string[] {
  const slash = text.indexOf('/');
  if (slash <= 0 || slash === text.length - 1) return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  const complaints = dns1123Subdomain(text.slice(0, slash));
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(text.slice(slash + 1)))
    complaints.push("Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&\\'()*+,;=:]+')");
  return complaints;
}
