/** How a controller registers, and how a list of names chooses among controllers. */
import type { Resource } from '../../apimachinery/object.js';
import type { Service } from '../../platform/service.js';
import type { ControllerContext } from './context.js';
import type { Discovery } from './discovery.js';

/** What the cluster is, for those controllers that ask. */
export interface ClusterFacts {
  /** PEM. */
  readonly clusterAuthority: () => string;
  readonly clusterCidr: string;
  readonly nodeBits: number;
  /** Silence after which a node counts as unreachable. */
  readonly nodeGrace_ms: number;
}

/** What the composer adds. */
interface ControllerParts extends ClusterFacts {
  readonly discovery: Discovery;
}

export interface ControllerRow {
  /** In kube-controller-manager, and as `--controllers` takes it. */
  readonly name: string;
  /** In kube-system, under which it writes: its rights are those of the cluster role `system:controller:<account>`. */
  readonly account: string;
  /** Whom its Events name; absent: the manager, `controllermanager`. */
  readonly component?: string;
  /** Kinds that have an effect because of it: the API server does not warn of them. */
  readonly actsOn?: readonly Resource[];
  create(context: ControllerContext, parts: ControllerParts): Service;
}

const ALL = '*';

/**
 * Which controllers a list such as `*,-disruption-controller` chooses, as kube-controller-manager reads it: `name` runs
 * it, `-name` does not, `*` stands for all that are not named. Throws with a message for the user.
 */
export function chosenControllers(list: readonly string[], rows: readonly ControllerRow[]): readonly ControllerRow[] {
  const known = new Set(rows.map(({ name }) => name));
  const wrong = list.find((item) => item !== ALL && !known.has(item.replace(/^-/, '')));
  if (wrong !== undefined) {
    throw new Error(`"${wrong.replace(/^-/, '')}" is not a controller; there are: ${[...known].sort().join(', ')}`);
  }
  const named = (name: string) => list.includes(name) || (list.includes(ALL) && !list.includes(`-${name}`));
  return rows.filter(({ name }) => named(name));
}
