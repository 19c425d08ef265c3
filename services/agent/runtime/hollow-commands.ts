/** The few commands a hollow container knows, so that `kubectl exec`, exec probes and tasks get something sensible. */

export interface HollowShell {
  readonly hostname: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
}

export interface HollowResult {
  /** False: nothing was run, and nothing is known of how it would end. */
  readonly known: boolean;
  readonly output: string;
  readonly code: number;
  /** How long it would take, where the command says so. */
  readonly duration_ms?: number;
}

const done = (output: string, code = 0): HollowResult => ({ known: true, output, code });

export function runHollowCommand(command: readonly string[], shell: HollowShell): HollowResult {
  const [program = '', ...rest] = command;
  const name = program.split('/').at(-1) ?? '';
  if ((name === 'sh' || name === 'bash') && rest[0] === '-c')
    return runHollowCommand((rest[1] ?? '').trim().split(/\s+/), shell);
  switch (name) {
    case 'true':
      return done('');
    case 'false':
      return done('', 1);
    case 'exit':
      return done('', Number(rest[0] ?? 0) & 0xff);
    case 'echo':
      return done(`${rest.join(' ')}\n`);
    case 'hostname':
      return done(`${shell.hostname}\n`);
    case 'env':
      return done(shell.env.map((variable) => `${variable.name}=${variable.value}\n`).join(''));
    case 'sleep':
      return sleep(rest);
    default:
      return { known: false, output: `this container is hollow: it does not run ${program}\n`, code: CANNOT_RUN };
  }
}

/** What a shell exits with for a command that it found and cannot execute. */
const CANNOT_RUN = 126;
const UNITS_S: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 };

function sleep([time = '', ...more]: readonly string[]): HollowResult {
  if (time === 'infinity' && more.length === 0) return { ...done(''), duration_ms: Infinity };
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(time) ?? [];
  if (number === '' || more.length > 0) return done(`sleep: invalid number '${time}'\n`, 1);
  return { ...done(''), duration_ms: Number(number) * (UNITS_S[unit] ?? 1) * 1000 };
}
