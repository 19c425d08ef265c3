/** Who may do what on the etcd API: one question for each RPC, and one for each operation inside a transaction. */

/** From the client's certificate: subject CN and O. Undefined: no verified certificate. */
export interface EtcdIdentity {
  readonly name: string;
  readonly roles: readonly string[];
}

/** `rangeEnd` as in etcd: empty for the one key, a zero byte for everything from the key on. */
export type EtcdOperation =
  | { readonly kind: 'read' | 'write'; readonly key: Uint8Array; readonly rangeEnd: Uint8Array }
  /** `use`: of requests that touch nothing, such as an empty transaction: whether the caller has any business here. */
  | {
      readonly kind:
        | 'use'
        | 'lease-grant'
        | 'lease-revoke'
        | 'lease-keep-alive'
        | 'lease-read'
        | 'compact'
        | 'status'
        | 'maintain'
        | 'members-read'
        | 'members-write';
    };

export type EtcdAuthorizer = (identity: EtcdIdentity | undefined, operation: EtcdOperation) => boolean;
