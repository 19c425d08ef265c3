/** Which parts of the control plane one process is: `--only` and `--controllers`. */
import { chosenControllers, CONTROLLERS } from '../../services/controllers/index.js';
import { UserError } from '../../platform/user-error.js';
import type { ElectedParts } from '../../services/server/elected/elected.js';

const PARTS = ['apiserver', 'scheduler', 'controllers'] as const;
type Part = (typeof PARTS)[number];

export interface PartFlags {
  readonly only?: string;
  readonly controllers?: string;
}

export interface ServerParts extends ElectedParts {
  /** The API itself, and, in a member, the store. */
  readonly apiserver: boolean;
}

const itemsOf = (text: string) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

/** Throws UserError. */
export function parseParts({ only, controllers }: PartFlags): ServerParts {
  const wanted = only === undefined ? [...PARTS] : itemsOf(only);
  const wrong = wanted.find((part) => !PARTS.includes(part as Part));
  if (wrong !== undefined || wanted.length === 0)
    throw new UserError(`--only takes ${PARTS.join(', ')}, separated by commas, not "${only ?? ''}"`, 2);
  const has = (part: Part) => wanted.includes(part);
  if (controllers !== undefined && !has('controllers'))
    throw new UserError('--controllers chooses among controllers, and --only leaves them out', 2);
  return {
    apiserver: has('apiserver'),
    scheduler: has('scheduler'),
    controllers: has('controllers') ? rowsOf(controllers) : undefined,
  };
}

function rowsOf(list: string | undefined) {
  if (list === undefined) return CONTROLLERS;
  try {
    return chosenControllers(itemsOf(list), CONTROLLERS);
  } catch (error) {
    throw new UserError(`--controllers: ${error instanceof Error ? error.message : String(error)}`, 2);
  }
}
