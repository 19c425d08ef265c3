/** Faults that are the user's to mend: one message that says what was wrong, where, and what to do. */

/**
 * A member that the cluster does not take back: started again, it would end the same way. Supervisors should not hurry.
 */
export const EXIT_FENCED = 3;

/** A fault of use or surroundings. `exitCode` 2: the command line; 3: EXIT_FENCED; 1: everything else. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
