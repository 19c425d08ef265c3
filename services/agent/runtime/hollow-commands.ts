/** The few commands a hollow container answers, so that `kubectl exec` and exec probes get something sensible. */

export interface HollowShell {
  readonly hostname: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
}

export function runHollowCommand(command: readonly string[], shell: HollowShell): { output: string; code: number } {
  const [program = '', ...rest] = command;
  const name = program.split('/').at(-1) ?? '';
  if ((name === 'sh' || name === 'bash') && rest[0] === '-c') return runHollowCommand((rest[1] ?? '').trim().split(/\s+/), shell);
  switch (name) {
    case 'true': return { output: '', code: 0 };
    case 'false': return { output: '', code: 1 };
    case 'exit': return { output: '', code: Number(rest[0] ?? 0) & 0xff };
    case 'echo': return { output: `${rest.join(' ')}\n`, code: 0 };
    case 'hostname': return { output: `${shell.hostname}\n`, code: 0 };
    case 'env': return { output: shell.env.map((variable) => `${variable.name}=${variable.value}\n`).join(''), code: 0 };
    default: return { output: `this container is hollow: it does not run ${program}\n`, code: 0 };
  }
}
