/** Changes of the membership that only the leader can judge, asked of it on behalf of a client of this member. */
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import type { ClusterPki } from '../../../platform/pki/cluster-pki.js';
import { issueCertificate, type KeyPair, type PkiContext } from '../../../platform/pki/x509.js';
import { ClusterClient } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { NodeId, RaftStatus } from '../../../raft/contract.js';
import { serverNameOptions } from '../../../sdk/grpc/server-name.js';
import { EtcdError } from '../../store/etcd/errors.js';

const LIFETIME_MS = 3_600_000;
const CALL_MS = 10_000;

export class LeaderCalls {
  readonly #pki: ClusterPki;
  readonly #context: PkiContext;
  #certificate: { readonly pair: KeyPair; readonly end_ms: number } | undefined;

  constructor(pki: ClusterPki, context: PkiContext) {
    this.#pki = pki;
    this.#context = context;
  }

  /** Rejects with EtcdError: the leader's own, or that there is none. */
  async ask(raft: RaftStatus, change: { readonly kind: 'remove' | 'promote'; readonly id: NodeId }): Promise<void> {
    const endpoint = raft.membership.peers.find(({ id }) => id === raft.leader)?.clientAddresses[0];
    if (endpoint === undefined) throw new EtcdError(14, 'etcdserver: no leader');
    const { certificate, privateKey } = await this.#ownCertificate(this.#context.clock);
    const ca = Buffer.from(this.#pki.clusterAuthority.certificate);
    const client = new ClusterClient(
      endpoint,
      credentials.createSsl(ca, Buffer.from(privateKey), Buffer.from(certificate)),
      serverNameOptions(endpoint),
    );
    const request = { ID: BigInt(change.id) };
    const options = { deadline: this.#context.clock.now() + CALL_MS };
    try {
      await new Promise<void>((resolve, reject) => {
        const done = (error: ServiceError | null) =>
          error === null ? resolve() : reject(new EtcdError(error.code, error.details));
        if (change.kind === 'remove') client.memberRemove(request, new Metadata(), options, done);
        else client.memberPromote(request, new Metadata(), options, done);
      });
    } finally {
      client.close();
    }
  }

  /** Short-lived: made when it is needed. */
  async #ownCertificate(clock: Clock): Promise<KeyPair> {
    if (this.#certificate === undefined || this.#certificate.end_ms < clock.now()) {
      const request = {
        subject: { commonName: 'navarch:member', organizations: ['navarch:etcd-admin'] },
        usages: ['client'] as const,
        lifetime_ms: LIFETIME_MS,
      };
      this.#certificate = {
        pair: await issueCertificate(this.#pki.clusterAuthority, request, this.#context),
        end_ms: clock.now() + LIFETIME_MS / 2,
      };
    }
    return this.#certificate.pair;
  }
}
