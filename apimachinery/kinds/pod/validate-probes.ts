/** Validation of probes and lifecycle hooks. */
import { httpHeaderName, portName } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, field, isRec, list, num, optionalNum, recs, str, unset, type Rec } from '../lib/value.js';

export function validatePortRef(complaints: Complaints, value: unknown, path: string): void {
  if (typeof value === 'string') complaints.form(path, value, portName);
  else complaints.port(path, value ?? 0);
}

/** What the pod says around a container, as far as its probes and hooks depend on it. */
export interface PodFacts {
  readonly gracePeriodSeconds: number | undefined;
  /** '' when not given. */
  readonly os: string;
}

type HandlerCheck = (complaints: Complaints, action: Rec, path: string, facts: PodFacts) => void;

const HANDLERS: Readonly<Record<string, HandlerCheck>> = {
  exec: (complaints, action, path) => {
    if (list(action['command']).length === 0) complaints.required(`${path}.command`);
  },
  httpGet: (complaints, action, path) => {
    if (unset(action['path'])) complaints.required(`${path}.path`);
    validatePortRef(complaints, action['port'], `${path}.port`);
    if (!['HTTP', 'HTTPS'].includes(str(action['scheme'])))
      complaints.unsupported(`${path}.scheme`, action['scheme'] ?? '', ['HTTP', 'HTTPS']);
    for (const header of recs(action['httpHeaders']))
      complaints.form(`${path}.httpHeaders`, str(header['name']), httpHeaderName);
  },
  tcpSocket: (complaints, action, path) => validatePortRef(complaints, action['port'], `${path}.port`),
  grpc: (complaints, action, path) => validatePortRef(complaints, num(action['port']), `${path}.port`),
  sleep: (complaints, action, path, { gracePeriodSeconds: grace }) => {
    const seconds = num(action['seconds']);
    if (grace !== undefined && (seconds < 0 || seconds > grace)) {
      complaints.invalid(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`);
    }
  },
};

function validateHandler(complaints: Complaints, handler: Rec, path: string, facts: PodFacts): void {
  const given = Object.keys(HANDLERS).filter((name) => !absent(handler[name]));
  for (const [index, name] of given.entries()) {
    const action = handler[name];
    if (index > 0) complaints.forbidden(`${path}.${name}`, 'may not specify more than 1 handler type');
    else if (isRec(action)) HANDLERS[name]?.(complaints, action, `${path}.${name}`, facts);
  }
  if (given.length === 0) complaints.required(path, 'must specify a handler type');
}

export const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

export function validateProbe(
  complaints: Complaints,
  probe: unknown,
  path: string,
  how: PodFacts & { readonly name: (typeof PROBES)[number] },
): void {
  if (!isRec(probe)) return;
  validateHandler(complaints, probe, path, how);
  for (const number of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ]) {
    complaints.atLeast(`${path}.${number}`, probe[number]);
  }
  const grace = optionalNum(probe['terminationGracePeriodSeconds']);
  if (grace !== undefined && grace <= 0)
    complaints.invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0');
  if (how.name === 'readinessProbe') {
    if (grace !== undefined)
      complaints.invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes');
  } else if (num(probe['successThreshold']) !== 1) {
    complaints.invalid(`${path}.successThreshold`, num(probe['successThreshold']), 'must be 1');
  }
}

const WINDOWS_SIGNALS = ['SIGKILL', 'SIGTERM'];
const LINUX_SIGNALS = [
  'SIGABRT',
  'SIGALRM',
  'SIGBUS',
  'SIGCHLD',
  'SIGCLD',
  'SIGCONT',
  'SIGFPE',
  'SIGHUP',
  'SIGILL',
  'SIGINT',
  'SIGIO',
  'SIGIOT',
  'SIGKILL',
  'SIGPIPE',
  'SIGPOLL',
  'SIGPROF',
  'SIGPWR',
  'SIGQUIT',
  'SIGRTMAX',
  ...Array.from({ length: 14 }, (_, n) => `SIGRTMAX-${n + 1}`),
  'SIGRTMIN',
  ...Array.from({ length: 15 }, (_, n) => `SIGRTMIN+${n + 1}`),
  'SIGSEGV',
  'SIGSTKFLT',
  'SIGSTOP',
  'SIGSYS',
  'SIGTERM',
  'SIGTRAP',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGUSR1',
  'SIGUSR2',
  'SIGVTALRM',
  'SIGWINCH',
  'SIGXCPU',
  'SIGXFSZ',
].toSorted();

export function validateLifecycle(complaints: Complaints, lifecycle: unknown, path: string, facts: PodFacts): void {
  for (const hook of ['postStart', 'preStop']) {
    const handler = field(lifecycle, hook);
    if (isRec(handler)) validateHandler(complaints, handler, `${path}.${hook}`, facts);
  }
  const signal = field(lifecycle, 'stopSignal');
  if (absent(signal)) return;
  const signals = facts.os === 'windows' ? WINDOWS_SIGNALS : LINUX_SIGNALS;
  if (facts.os === '')
    complaints.forbidden(`${path}.stopSignal`, 'may not be set for containers with empty `spec.os.name`');
  else if (!signals.includes(str(signal))) complaints.unsupported(`${path}.stopSignal`, signal, signals);
}
