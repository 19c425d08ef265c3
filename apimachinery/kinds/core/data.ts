/** ConfigMaps, Secrets and ServiceAccounts. */
import type { StrategyContext } from '../../kind.js';
import { configMapKey } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import {
  absent,
  child,
  entries,
  field,
  fillZero,
  isRec,
  recs,
  same,
  setOwn,
  str,
  unset,
  type Rec,
} from '../lib/value.js';

const BYTES_MAX = 1024 * 1024;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Before all else that is said of an update. */
function validateImmutable(complaints: Complaints, object: Rec, old: unknown, fields: readonly string[]): void {
  if (field(old, 'immutable') !== true) return;
  if (object['immutable'] !== true) complaints.forbidden('immutable', 'field is immutable when `immutable` is set');
  for (const name of fields) {
    if (!same(object[name], field(old, name), name))
      complaints.forbidden(name, 'field is immutable when `immutable` is set');
  }
}

function validateConfigMap(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    validateImmutable(complaints, object, context?.old, ['data', 'binaryData']);
    let size = 0;
    for (const [key, value] of entries(object['data'])) {
      for (const why of configMapKey(key)) complaints.invalid(`data[${key}]`, key, why);
      if (!absent(field(object['binaryData'], key)))
        complaints.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData');
      size += Buffer.byteLength(str(value));
    }
    for (const [key, value] of entries(object['binaryData'])) {
      for (const why of configMapKey(key)) complaints.invalid(`binaryData[${key}]`, key, why);
      size += Math.floor((str(value).length * 3) / 4);
    }
    if (size > BYTES_MAX) complaints.tooLong('', BYTES_MAX);
  });
}

export const configMapStrategy = strategyOf({
  validatesAll: true,
  validate: validateConfigMap,
});

/** `stringData` is for writing only: it goes into data and is never stored. */
function defaultSecret(secret: Rec): void {
  fillZero(secret, 'type', 'Opaque');
  const plain = entries(secret['stringData']);
  const data = plain.length > 0 ? child(secret, 'data') : undefined;
  if (data !== undefined)
    for (const [key, value] of plain) setOwn(data, key, Buffer.from(str(value)).toString('base64'));
  delete secret['stringData'];
}

/** Keys that a type promises to its readers. */
const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

const PLACES: readonly (readonly [RegExp, string])[] = [
  [/after JSON/, 'after top-level value'],
  [/property name/, 'looking for beginning of object key string'],
  [/':' after/, 'after object key'],
  [/after property value/, 'after object key:value pair'],
  [/after array element/, 'after array element'],
  [/control character/, 'in string literal'],
];

/** Why the text is no JSON object, as Go's decoder words it. */
function jsonObjectComplaint(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (/end of JSON|Unterminated/.test(message)) return 'unexpected end of JSON input';
    const at = Number(/at position (\d+)/.exec(message)?.[1] ?? text.search(/\S/));
    const where = PLACES.find(([pattern]) => pattern.test(message))?.[1] ?? 'looking for beginning of value';
    return `invalid character '${text.charAt(at)}' ${where}`;
  }
  if (value === null || isRec(value)) return undefined;
  const type = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return `json: cannot unmarshal ${type} into Go value of type map[string]interface {}`;
}

function validateDocker(complaints: Complaints, data: unknown, key: string): void {
  const why = jsonObjectComplaint(Buffer.from(str(field(data, key)), 'base64').toString());
  if (why !== undefined) complaints.invalid(`data[${key}]`, '<secret contents redacted>', why);
}

function validateSecret(secret: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const old = context?.old as Rec | undefined;
    if (old !== undefined) complaints.immutable('type', secret['type'], secret['type'] === old['type']);
    validateImmutable(complaints, secret, old, ['data']);
    const data = secret['data'];
    const type = str(secret['type']);
    let size = 0;
    for (const [key, value] of entries(data)) {
      for (const why of configMapKey(key)) complaints.invalid(`data[${key}]`, key, why);
      if (!BASE64.test(str(value)))
        complaints.invalid(`data[${key}]`, '<secret contents redacted>', 'must be base64 encoded');
      size += Math.floor((str(value).length * 3) / 4);
    }
    if (size > BYTES_MAX) complaints.tooLong('data', BYTES_MAX);
    if (
      type === 'kubernetes.io/service-account-token' &&
      unset(field(field(secret['metadata'], 'annotations'), 'kubernetes.io/service-account.name'))
    ) {
      complaints.required('metadata.annotations[kubernetes.io/service-account.name]');
    }
    if (type === 'kubernetes.io/basic-auth' && absent(field(data, 'username')) && absent(field(data, 'password'))) {
      complaints.required('data[username]');
      complaints.required('data[password]');
    }
    for (const key of (Object.hasOwn(REQUIRED_KEYS, type) ? REQUIRED_KEYS[type] : undefined) ?? []) {
      if (key === 'ssh-privatekey' ? unset(field(data, key)) : absent(field(data, key)))
        complaints.required(`data[${key}]`);
      else if (key.startsWith('.docker')) validateDocker(complaints, data, key);
    }
  });
}

export const secretStrategy = strategyOf({
  defaults: defaultSecret,
  update: (secret, old) => {
    if (unset(secret['type'])) secret['type'] = old['type'];
  },
  validatesAll: true,
  validate: validateSecret,
});

/** Secrets of an account are named, nothing else. */
function nameSecrets(account: Rec): void {
  if (Array.isArray(account['secrets']))
    account['secrets'] = recs(account['secrets']).map(({ name }) => (unset(name) ? {} : { name }));
}

export const serviceAccountStrategy = strategyOf({
  returnsDeleted: true,
  validatesAll: true,
  create: nameSecrets,
  update: nameSecrets,
});
