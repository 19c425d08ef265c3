/** The commands of membership-change scripts: `simple`, `enter-joint`, `leave-joint`. */
import { changeSimply, ConfChangeError, enterJoint, leaveJoint } from '../core/confchange/changer.js';
import type { ChangeResult } from '../core/confchange/changer.js';
import { EMPTY_CONFIGURATION } from '../core/tracker/configuration.js';
import type { Directive } from './datadriven.js';
import { describeConfiguration, describeProgress, parseChanges } from './describe.js';

export function confChangeRunner(): (directive: Directive) => string {
  let state: ChangeResult = { configuration: EMPTY_CONFIGURATION, progress: new Map() };
  // Grows with each command, so that `next` tells in which one a progress began.
  let lastIndex = 0;
  return (directive) => {
    const base = { ...state, limits: { count_max: 10, bytes_max: Infinity }, lastIndex: lastIndex++ };
    try {
      state = run(directive, base);
    } catch (error) {
      if (error instanceof ConfChangeError) return error.message;
      throw error;
    }
    const progress = [...state.progress].sort(([a], [b]) => a - b).map(([id, value]) => describeProgress(id, value));
    return [describeConfiguration(state.configuration), ...progress].join('\n');
  };
}

function run(directive: Directive, base: Parameters<typeof leaveJoint>[0]): ChangeResult {
  const changes = parseChanges(directive.input);
  switch (directive.command) {
    case 'simple':
      return changeSimply(base, changes);
    case 'enter-joint':
      return enterJoint(base, changes, directive.args.find(({ key }) => key === 'autoleave')?.values[0] === 'true');
    case 'leave-joint':
      return leaveJoint(base);
    default:
      throw new Error(`unknown command ${directive.command}`);
  }
}
