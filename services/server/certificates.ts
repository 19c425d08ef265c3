/**
 * A member's own certificates, issued by itself from the authorities it holds and replaced at two thirds of their life
 * without a restart. Nothing is written: what is lost with the process is issued anew.
 */
import type { Timer } from '../../platform/clock.js';
import type { ClusterPki } from '../../platform/pki/cluster-pki.js';
import {
  certificateValidity,
  issueCertificate,
  type CertificateRequest,
  type KeyPair,
  type PkiContext,
} from '../../platform/pki/x509.js';

const DAY_MS = 24 * 3_600_000;
const LIFETIME_MS = 90 * DAY_MS;
/** A failed renewal is tried again this often; a third of the certificate's life is left for it. */
const RETRY_MS = 60_000;

/** A certificate that is always fresh. */
export class RotatingCertificate {
  readonly #authority: KeyPair;
  readonly #request: CertificateRequest;
  readonly #context: PkiContext;
  readonly #listeners = new Set<() => void>();
  #current: KeyPair;
  #timer: Timer | undefined;

  private constructor(authority: KeyPair, request: CertificateRequest, context: PkiContext, current: KeyPair) {
    this.#authority = authority;
    this.#request = request;
    this.#context = context;
    this.#current = current;
    this.#schedule();
  }

  static async issue(
    authority: KeyPair,
    request: CertificateRequest,
    context: PkiContext,
  ): Promise<RotatingCertificate> {
    return new RotatingCertificate(authority, request, context, await issueCertificate(authority, request, context));
  }

  get current(): KeyPair {
    return this.#current;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#listeners.clear();
  }

  #schedule(): void {
    const { notBefore_ms, notAfter_ms } = certificateValidity(this.#current.certificate);
    const due_ms = notBefore_ms + ((notAfter_ms - notBefore_ms) * 2) / 3;
    // A timer counts durations; the wall clock may have moved when it fires, so it looks again at least once a day.
    const wait_ms = Math.min(Math.max(due_ms - this.#context.clock.now(), 0), DAY_MS);
    this.#timer = this.#context.clock.after(wait_ms, () => void this.#renewIfDue(due_ms));
  }

  async #renewIfDue(due_ms: number): Promise<void> {
    if (this.#context.clock.now() < due_ms) {
      this.#schedule();
      return;
    }
    try {
      this.#current = await issueCertificate(this.#authority, this.#request, this.#context);
      this.#schedule();
      for (const listener of this.#listeners) listener();
    } catch {
      this.#timer = this.#context.clock.after(RETRY_MS, () => void this.#renewIfDue(due_ms));
    }
  }
}

export interface MemberCertificates {
  /** Opens the Raft port of peers, and proves this member on its own. */
  readonly peer: RotatingCertificate;
  /** The REST and gRPC listeners. */
  readonly serving: RotatingCertificate;
  stop(): void;
}

export interface MemberCertificateOptions {
  readonly pki: ClusterPki;
  readonly name: string;
  /** DNS names and addresses under which clients reach this member. */
  readonly names: readonly string[];
  readonly context: PkiContext;
}

export async function issueMemberCertificates(options: MemberCertificateOptions): Promise<MemberCertificates> {
  const { pki, name, context } = options;
  const names = [...new Set(options.names)];
  const [peer, serving] = await Promise.all([
    RotatingCertificate.issue(
      pki.peerAuthority,
      { subject: { commonName: name }, usages: ['server', 'client'], names, lifetime_ms: LIFETIME_MS },
      context,
    ),
    RotatingCertificate.issue(
      pki.clusterAuthority,
      { subject: { commonName: 'navarch-apiserver' }, usages: ['server'], names, lifetime_ms: LIFETIME_MS },
      context,
    ),
  ]);
  return {
    peer,
    serving,
    stop() {
      peer.stop();
      serving.stop();
    },
  };
}

/** The administrator's certificate, as it goes into a kubeconfig: a year, in the group that may do everything. */
export function issueAdminCertificate(
  pki: ClusterPki,
  context: PkiContext,
  commonName = 'kubernetes-admin',
): Promise<KeyPair> {
  return issueCertificate(
    pki.clusterAuthority,
    {
      subject: { commonName, organizations: ['system:masters'] },
      usages: ['client'],
      lifetime_ms: 365 * DAY_MS,
    },
    context,
  );
}
