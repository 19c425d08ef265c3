/**
 * What a node has for pods: all of its machine, an equal share where several workers stand on one, or what its operator
 * says. Pure.
 */
import { parseQuantity } from '../../../apimachinery/quantity.js';
import type { Quantities } from '../pod-spec/types.js';
import type { MachineFacts } from './machine.js';

export interface CapacityOptions {
  /** Workers on this machine; each has an equal part of its CPUs, memory and disk. 1 when absent. */
  readonly workersHere?: number;
  /** Instead of what was found, by resource; of cpu, memory, ephemeral-storage and pods. */
  readonly told?: Quantities;
}

const PODS_MAX_DEFAULT = 110;
const TELLABLE: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage', 'pods']);

export const kibi = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`;

function cpuText(cpus: number): string {
  return Number.isInteger(cpus) ? String(cpus) : `${Math.floor(cpus * 1000)}m`;
}

export function capacityOf(
  machine: Pick<MachineFacts, 'cpus' | 'memory_bytes' | 'disk_bytes'>,
  options: CapacityOptions = {},
): Quantities {
  const { workersHere = 1, told = {} } = options;
  return {
    cpu: cpuText(machine.cpus / workersHere),
    memory: kibi(machine.memory_bytes / workersHere),
    pods: String(PODS_MAX_DEFAULT),
    'ephemeral-storage': kibi(machine.disk_bytes / workersHere),
    ...told,
  };
}

/** `cpu=2,memory=4Gi,pods=50`. Throws with a message for the user. */
export function parseCapacity(text: string): Quantities {
  return Object.fromEntries(
    text
      .split(',')
      .filter((part) => part !== '')
      .map((part) => {
        const [name = '', value = ''] = part.split('=');
        const quantity = parseQuantity(value);
        if (!TELLABLE.has(name))
          throw new Error(`"${part}" must be one of ${[...TELLABLE].join(', ')} with a quantity, as cpu=2`);
        if (quantity === undefined || quantity.nano <= 0n)
          throw new Error(
            `"${value}" is not a quantity above 0 for ${name}; write it as ${name}=4${name === 'memory' ? 'Gi' : ''}`,
          );
        return [name, value];
      }),
  );
}
