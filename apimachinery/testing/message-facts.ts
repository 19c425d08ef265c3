/**
 * The compiled facts of protobuf messages as plain rows. Read here once more, apart from the codec, so that samples and
 * the expected bytes do not share its mistakes. For tests only.
 */
import { protobufData } from '../scheme/data.js';

/** `s` string, `i` int32, `l` int64, `b` bool, `y` bytes, `d` double. */
export type ScalarLetter = 's' | 'i' | 'l' | 'b' | 'y' | 'd';

export interface FieldFact {
  readonly name: string;
  readonly number: number;
  /** `*` list, `%` map with string keys, `^` stands in its parent's place in JSON. */
  readonly mark: '' | '*' | '%' | '^';
  readonly scalar?: ScalarLetter;
  /** Full name of the message type. */
  readonly message?: string;
}

const LETTERS = 'silbyd';

function fieldFact(text: string, home: string): FieldFact {
  const [head = '', type = ''] = text.split(':');
  const [name = '', code = ''] = head.split('=');
  const mark = (/[*%^]/.exec(code)?.[0] ?? '') as FieldFact['mark'];
  const base = { name, number: Number.parseInt(code, 10), mark };
  if (type.length === 1 && LETTERS.includes(type)) return { ...base, scalar: type as ScalarLetter };
  const [owner = '', simple = ''] = type.split('.');
  return { ...base, message: `${owner === '' ? home : (protobufData().packages[Number(owner)] ?? '')}.${simple}` };
}

let facts: ReadonlyMap<string, readonly FieldFact[]> | undefined;

/** Full message name -> its fields, for every message that is known. */
export function messageFacts(): ReadonlyMap<string, readonly FieldFact[]> {
  facts ??= new Map(
    Object.entries(protobufData().messages).flatMap(([home, messages]) =>
      Object.entries(messages).map(([name, text]): [string, FieldFact[]] => [
        `${home}.${name}`,
        text === '' ? [] : text.split(' ').map((field) => fieldFact(field, home)),
      ]),
    ),
  );
  return facts;
}

/** `k8s.io.api.core.v1.Pod` of the definition `io.k8s.api.core.v1.Pod`. */
export const messageOfDefinition = (definition: string): string =>
  definition
    .replace(/^io\.k8s\./, 'k8s.io.')
    .replace('apiextensions-apiserver', 'apiextensions_apiserver')
    .replace('kube-aggregator', 'kube_aggregator');

/** Messages whose JSON form is one value instead of an object of fields, by their simple name. */
export const VALUE_FORMS: ReadonlySet<string> = new Set([
  'Time',
  'Timestamp',
  'MicroTime',
  'Duration',
  'Quantity',
  'IntOrString',
  'FieldsV1',
  'RawExtension',
  'JSON',
  'ExtraValue',
  'Verbs',
  'JSONSchemaPropsOrArray',
  'JSONSchemaPropsOrBool',
  'JSONSchemaPropsOrStringArray',
]);

export const simpleName = (message: string): string => message.slice(message.lastIndexOf('.') + 1);
