/**
 * CertificateSigningRequests (k8s.io/kubernetes/pkg/apis/certificates/validation). The order of complaints is
 * Kubernetes' own.
 */
import type { StrategyContext } from '../../kind.js';
import { dns1123Label, dns1123Subdomain } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import { at, child, clone, field, optionalNum, put, recs, same, str, strs, type Rec } from '../lib/value.js';
import { certificateFault } from './pem.js';

const SECONDS_MIN = 600;
const DOMAIN_MAX = 253;
const SIGNER_MAX = 570;
const LEGACY_SIGNER = 'kubernetes.io/legacy-unknown';
const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const WHO = ['username', 'uid', 'groups', 'extra'] as const;
const DECISIONS = ['Approved', 'Denied'];
const FINAL = [...DECISIONS, 'Failed'];

const BEGIN = '-----BEGIN CERTIFICATE REQUEST-----';
const END = '-----END CERTIFICATE REQUEST-----';

/**
 * The bytes of the block that the text starts with; undefined when it starts with none, or with another kind of block.
 */
function pemBytes(text: string): Buffer | undefined {
  const start = text.indexOf('-----BEGIN ');
  if (start < 0 || !text.startsWith(BEGIN, start)) return undefined;
  const end = text.indexOf(END, start);
  const body = end < 0 ? '' : text.slice(start + BEGIN.length, end);
  return end < 0 || /[^A-Za-z0-9+/=\s]/.test(body) ? undefined : Buffer.from(body, 'base64');
}

/** The length of an ASN.1 value with its head; undefined when the head is cut off. */
function derLength(bytes: Uint8Array): number | undefined {
  const first = bytes[1];
  if (first === undefined) return undefined;
  if (first < 0x80) return 2 + first;
  const count = first & 0x7f;
  if (bytes.length < 2 + count) return undefined;
  return 2 + count + bytes.subarray(2, 2 + count).reduce((length, byte) => length * 256 + byte, 0);
}

/** Of bytes as the API has them, in base64: what the first PEM block holds, if that is a request. */
export const firstRequestBlock = (request: string): Uint8Array | undefined =>
  pemBytes(Buffer.from(request, 'base64').toString('latin1'));

const SEQUENCE = 0x30;

/**
 * What is wrong with the request's form. Whose key it is and whether it is signed by it is the signer's business to
 * look at.
 */
function requestComplaint(request: string): string | undefined {
  const bytes = firstRequestBlock(request);
  if (bytes === undefined) return 'PEM block type must be CERTIFICATE REQUEST';
  const length = derLength(bytes);
  if (bytes.length === 0) return 'asn1: syntax error: sequence truncated';
  if (length === undefined || length > bytes.length) return 'asn1: syntax error: data truncated';
  if (bytes[0] !== SEQUENCE) return "asn1: structure error: tags don't match";
  return length < bytes.length ? 'asn1: syntax error: trailing data' : undefined;
}

function validateSigner(complaints: Complaints, signer: string): void {
  const path = 'spec.signerName';
  if (signer === '') return complaints.required(path);
  const parts = signer.split('/');
  if (parts.length !== 2)
    return complaints.invalid(
      path,
      signer,
      "must be a fully qualified domain and path of the form 'example.com/signer-name'",
    );
  const [domain = '', name = ''] = parts;
  if (domain.length > DOMAIN_MAX) complaints.tooLong(path, DOMAIN_MAX);
  const labels = domain.split('.');
  const wrongLabel = labels.find((label) => dns1123Label(label).length > 0);
  if (wrongLabel !== undefined)
    for (const why of dns1123Label(wrongLabel))
      complaints.invalid(path, domain, `validating label ${JSON.stringify(wrongLabel)}: ${why}`);
  if (labels.length < 2)
    complaints.invalid(path, domain, 'should be a domain with at least two segments separated by dots');
  const wrongName = name.split('.').find((label) => dns1123Subdomain(label).length > 0);
  if (wrongName !== undefined)
    for (const why of dns1123Subdomain(wrongName))
      complaints.invalid(path, name, `validating label ${JSON.stringify(wrongName)}: ${why}`);
  if (signer.length > SIGNER_MAX) complaints.tooLong(path, SIGNER_MAX);
}

const typesOf = (request: unknown): readonly string[] =>
  recs(at(request, 'status', 'conditions')).map((condition) => str(condition['type']));
const hasTwice = (values: readonly string[]): boolean => new Set(values).size < values.length;

function validateConditions(complaints: Complaints, request: Rec, old: unknown): void {
  const path = 'status.conditions';
  const before = typesOf(old);
  const wereBoth = DECISIONS.every((decision) => before.includes(decision));
  const wasTwice = hasTwice(before);
  const wasUntyped = before.includes('');
  const seen = new Set<string>();
  for (const [index, condition] of recs(at(request, 'status', 'conditions')).entries()) {
    const [type, status] = [str(condition['type']), str(condition['status'])];
    if (type === '' && !wasUntyped) complaints.required(`${path}[${index}].type`);
    complaints.oneOf(
      `${path}[${index}].status`,
      status,
      FINAL.includes(type) ? ['True'] : ['False', 'True', 'Unknown'],
      true,
    );
    const other = type === 'Approved' ? 'Denied' : 'Approved';
    if (DECISIONS.includes(type) && seen.has(other) && !wereBoth)
      complaints.invalid(path, type, 'Approved and Denied conditions are mutually exclusive');
    if (seen.has(type) && !wasTwice) complaints.duplicate(`${path}[${index}].type`, type);
    seen.add(type);
  }
}

/** One that was stored stays, whatever it holds. */
function validateCertificate(complaints: Complaints, request: Rec, old: unknown): void {
  const [now, before] = [request, old].map((object) => str(at(object, 'status', 'certificate'))) as [string, string];
  const textOf = (certificate: string): string => Buffer.from(certificate, 'base64').toString('latin1');
  if (now === before || certificateFault(textOf(before)) !== undefined) return;
  const fault = certificateFault(textOf(now));
  if (fault !== undefined) complaints.invalid('status.certificate', '<certificate data>', fault);
}

function validateUsages(complaints: Complaints, usages: readonly string[], before: readonly string[]): void {
  const path = (index: number): string => `spec.usages[${index}]`;
  if (before.every((usage) => USAGES.includes(usage))) {
    for (const [index, usage] of usages.entries())
      if (!USAGES.includes(usage)) complaints.unsupported(path(index), usage, USAGES);
  }
  if (hasTwice(before)) return;
  const seen = new Set<string>();
  for (const [index, usage] of usages.entries()) {
    if (seen.has(usage)) complaints.duplicate(path(index), usage);
    seen.add(usage);
  }
}

function validateRequest(request: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(request, 'spec');
    const old = context?.old;
    const pem = str(field(spec, 'request'));
    const wrong = requestComplaint(pem);
    if (wrong !== undefined) complaints.invalid('spec.request', field(spec, 'request'), wrong);
    const usages = strs(field(spec, 'usages'));
    const before = strs(at(old, 'spec', 'usages'));
    if (usages.length === 0) complaints.required('spec.usages');
    validateUsages(complaints, usages, before);
    const signer = str(field(spec, 'signerName'));
    if (signer === LEGACY_SIGNER && at(old, 'spec', 'signerName') !== LEGACY_SIGNER)
      complaints.invalid('spec.signerName', signer, 'the legacy signerName is not allowed via this API version');
    else validateSigner(complaints, signer);
    const seconds = optionalNum(field(spec, 'expirationSeconds'));
    if (seconds !== undefined && seconds < SECONDS_MIN)
      complaints.invalid(
        'spec.expirationSeconds',
        seconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      );
    validateConditions(complaints, request, old);
    validateCertificate(complaints, request, old);
  });
}

function validateRequestUpdate(request: Rec, old: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const ofType = (object: Rec, type: string): readonly Rec[] =>
      recs(at(object, 'status', 'conditions')).filter((condition) => condition['type'] === type);
    for (const type of FINAL) {
      if (ofType(request, type).length < ofType(old, type).length)
        complaints.forbidden('status.conditions', `updates may not remove a condition of type "${type}"`);
    }
    if (context?.subresource !== 'approval') {
      for (const type of DECISIONS) {
        const [now, before] = [ofType(request, type), ofType(old, type)];
        if (now.length > before.length)
          complaints.forbidden('status.conditions', `updates may not add a condition of type "${type}"`);
        else if (now.length === before.length && !same(now, before))
          complaints.forbidden('status.conditions', `updates may not modify a condition of type "${type}"`);
      }
    }
    const [certificate, before] = [str(at(request, 'status', 'certificate')), str(at(old, 'status', 'certificate'))];
    if (certificate === before) return;
    if (context?.subresource !== 'status')
      complaints.forbidden('status.certificate', 'updates may not set certificate content');
    else if (before !== '')
      complaints.forbidden('status.certificate', 'updates may not modify existing certificate content');
  });
}

export const certificateRequest = strategyOf({
  // Who asks is what authentication found, never what the client wrote.
  create: (object, context) => {
    const spec = child(object, 'spec');
    if (spec === undefined) return;
    for (const name of WHO) delete spec[name];
    spec['username'] = context.user.name;
    if (context.user.uid !== undefined && context.user.uid !== '') spec['uid'] = context.user.uid;
    if (context.user.groups.length > 0) spec['groups'] = [...context.user.groups];
    if (context.user.extra !== undefined) spec['extra'] = clone(context.user.extra);
    object['status'] = {};
  },
  // The request never changes. An approval brings conditions, the signer's status update the certificate with them.
  update: (object, old, context) => {
    put(object, 'spec', clone(old['spec']));
    if (context.subresource === 'status') return;
    const conditions = clone(at(object, 'status', 'conditions'));
    put(object, 'status', clone(old['status']));
    const status = context.subresource === 'approval' ? child(object, 'status') : undefined;
    if (status !== undefined) put(status, 'conditions', conditions);
  },
  validatesAll: true,
  validate: validateRequest,
  validateUpdate: validateRequestUpdate,
});
