/** What the records of built-in resources are made with. */
import type { ObjectService, UserInfo } from '../../../apimachinery/object-service.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import type { Clock } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';
import type { Store } from '../../store/store.js';
import type { ClusterAuthenticator } from '../auth/authenticator.js';
import type { RbacAuthorizer } from '../auth/rbac-authorizer.js';
import type { ServiceAccountTokens } from '../auth/service-account-tokens.js';
import type { ObjectReader } from '../ports.js';

/** What Services are given. */
export interface ServiceNetwork {
  /** IPv4 CIDR, as `10.96.0.0/12`. */
  readonly serviceCidr: string;
  /** Both ends belong to the range. */
  readonly nodePorts: { readonly first: number; readonly last: number };
}

/** Who answers reviews and issues tokens. */
export interface ReviewParts {
  readonly rbac: RbacAuthorizer;
  readonly authenticator: ClusterAuthenticator;
  readonly tokens: ServiceAccountTokens;
  readonly audiences: readonly string[];
}

export interface RecordParts {
  readonly reader: ObjectReader;
  readonly scheme: MutableScheme;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  as(user: UserInfo): ObjectService;
  /** Resolves when the reader has all that was written before. */
  fresh(): Promise<void>;
  /** Absent: Services and Nodes get no addresses. */
  readonly network?: ServiceNetwork;
  /** Absent: reviews and tokens are not served. */
  readonly reviews?: ReviewParts;
}
