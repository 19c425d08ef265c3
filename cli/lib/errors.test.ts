import { expect, it } from 'vitest';
import { RaftError } from '../../raft/contract.js';
import { UserError, EXIT_FENCED } from '../../platform/user-error.js';
import { describeFailure } from './errors.js';

it('ends with a code of its own where another start would end the same way', () => {
  for (const code of ['removed', 'fenced', 'outdated'] as const) {
    expect(describeFailure(new RaftError(code, 'why and what to do'))).toEqual({
      text: 'why and what to do',
      exitCode: EXIT_FENCED,
    });
  }
  expect(describeFailure(new RaftError('corrupt', 'the disk lost something')).exitCode).toBe(1);
  expect(describeFailure(new UserError('no such flag', 2)).exitCode).toBe(2);
});

it("tells our own mistakes by their stack, and the machine's faults in words", () => {
  expect(describeFailure(new TypeError('x is undefined')).text).toContain('errors.test.ts');
  expect(describeFailure(Object.assign(new Error('write'), { code: 'ENOSPC', path: '/data' })).text).toContain(
    'the disk of /data is full',
  );
  const answer = Object.assign(new Error('14 UNAVAILABLE: nobody listens at m1:2379'), {
    code: 14,
    details: 'nobody listens at m1:2379',
  });
  expect(describeFailure(answer)).toEqual({ text: 'nobody listens at m1:2379', exitCode: 1 });
});
