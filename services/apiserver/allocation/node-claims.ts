/** Pod subnets of Nodes: no two nodes hold the same one, whatever two subnet controllers believe at the same time. */
import type { Node } from '../../../apimachinery/gen/types.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import type { WriteChange, WriteGuard, WriteHook } from '../ports.js';
import { changeClaims } from './claims.js';

const SUBNET_CLAIMS = '/navarch/claims/podcidrs/';

function claimsOf(node: Node | undefined): Set<string> {
  const subnet = node?.spec?.podCIDR ?? '';
  return new Set(subnet === '' ? [] : [SUBNET_CLAIMS + subnet]);
}

export class NodeClaims implements WriteHook {
  async before(change: WriteChange): Promise<WriteGuard> {
    const node = change.draft as Node;
    const name = node.metadata?.name ?? '';
    const { taken, guard } =
      change.operation === 'DELETE'
        ? changeClaims(claimsOf(node), new Set(), name)
        : changeClaims(claimsOf(change.old), claimsOf(node), name);
    // The condition did not hold, and there is no other value to choose: the writer has to.
    if (change.attempt > 0 && taken.length > 0) {
      throw apiErrors.invalid({ group: '', kind: 'Node' }, name, [
        fieldErrors.invalid('spec.podCIDR', node.spec?.podCIDR, 'is the subnet of another node'),
      ]);
    }
    return guard;
  }
}
