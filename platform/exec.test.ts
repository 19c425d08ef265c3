import { describe, expect, it } from 'vitest';
import { CommandError, mustRun, systemExecutor } from './exec.js';

describe('systemExecutor', () => {
  it('hands over input and returns output and code', async () => {
    expect(await systemExecutor.run('cat', [], { stdin: 'in' })).toEqual({ code: 0, stdout: 'in', stderr: '' });
    expect((await systemExecutor.run('sh', ['-c', 'echo bad >&2; exit 3'])).code).toBe(3);
  });

  it('returns a command that is not there as a result', async () => {
    const result = await systemExecutor.run('navarch-no-such-command', []);
    expect(result.code).toBe(-1);
    expect(result.stderr).toContain('ENOENT');
  });

  it('kills at the time limit', async () => {
    const result = await systemExecutor.run('sleep', ['60'], { timeout_ms: 20 });
    expect([result.code, result.stderr]).toEqual([-1, 'ended by SIGKILL']);
  });

  it('survives a command that never reads its input', async () => {
    expect((await systemExecutor.run('true', [], { stdin: 'x'.repeat(1 << 20) })).code).toBe(0);
  });

  it('throws what the command said', async () => {
    await expect(mustRun(systemExecutor, 'sh', ['-c', 'echo no such device >&2; exit 1'])).rejects.toThrow(
      /no such device/,
    );
    await expect(mustRun(systemExecutor, 'false', [])).rejects.toBeInstanceOf(CommandError);
  });
});
