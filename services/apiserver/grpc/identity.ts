/** Who calls, and what the call may do: from gRPC's call to the ports of authentication and authorization. */
import type { Metadata } from '@grpc/grpc-js';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import type { ResourceId } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { forbidden } from '../auth/forbidden.js';
import type { AuthenticationRequest, Authenticator, Authorizer, PeerCertificate } from '../ports.js';

/** The part of a grpc-js server call that says who is at the other end. */
export interface IdentifiedCall {
  readonly metadata: Metadata;
  getPath(): string;
  getPeer(): string;
  /** Holds a certificate only when the handshake proved it against the client CA. */
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Buffer; readonly fingerprint256: string } } | null;
}

/** Connections that are remembered, so that their certificates are parsed once. */
const CERTIFICATES_MAX = 4096;

export class CallIdentity {
  readonly #authenticator: Authenticator;
  /** One object for one certificate, as the port asks: an authenticator keeps what it found out in a WeakMap. */
  readonly #certificates = new Map<string, PeerCertificate>();

  constructor(authenticator: Authenticator) {
    this.#authenticator = authenticator;
  }

  /** Throws ApiError Unauthorized for callers nobody knows. */
  async of(call: IdentifiedCall): Promise<UserInfo> {
    const user = await this.#authenticator.authenticate(this.#request(call));
    if (user === undefined) throw apiErrors.unauthorized();
    return user;
  }

  #request(call: IdentifiedCall): AuthenticationRequest {
    const certificate = this.#certificateOf(call);
    return {
      headers: headersOf(call.metadata),
      path: call.getPath(),
      remoteAddress: addressOf(call.getPeer()),
      ...(certificate === undefined ? {} : { peerCertificate: certificate }),
    };
  }

  #certificateOf(call: IdentifiedCall): PeerCertificate | undefined {
    const raw = call.getAuthContext()?.sslPeerCertificate;
    if (raw === undefined) return undefined;
    const known = this.#certificates.get(raw.fingerprint256);
    if (known !== undefined) return known;
    const certificate: PeerCertificate = { der: raw.raw, verified: true };
    if (this.#certificates.size >= CERTIFICATES_MAX) this.#certificates.clear();
    this.#certificates.set(raw.fingerprint256, certificate);
    return certificate;
  }
}

/** Text headers only; a header that was sent twice is a list. */
function headersOf(metadata: Metadata): Record<string, string | readonly string[]> {
  const headers = new Map<string, string | readonly string[]>();
  for (const key of Object.keys(metadata.getMap())) {
    const values = metadata.get(key).filter((value) => typeof value === 'string');
    const [only] = values;
    if (only !== undefined) headers.set(key, values.length === 1 ? only : values);
  }
  return Object.fromEntries(headers);
}

/** `ipv4:10.0.0.1:4000`, `[::1]:4000` and `10.0.0.1:4000` all name a host. */
function addressOf(peer: string): string {
  return peer.replace(/^ipv[46]:/, '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

interface Asked {
  readonly resource: ResourceId;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Throws ApiError Forbidden, in the words of kube-apiserver, unless the user may. */
export async function authorize(authorizer: Authorizer, user: UserInfo, verb: Verb, asked: Asked): Promise<void> {
  const { group, version, resource } = asked.resource;
  const name = asked.name ?? nameSelected(asked.fieldSelector);
  const { subresource, labelSelector, fieldSelector } = asked;
  // A namespace is in itself: whoever may get namespaces in one may get that one.
  const namespace = asked.namespace ?? (group === '' && resource === 'namespaces' ? asked.name : undefined);
  const attributes = {
    kind: 'resource', user, verb, group, version, resource,
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  } as const;
  const decision = await authorizer.authorize(attributes);
  if (!decision.allowed) throw forbidden(attributes, decision.reason);
}

/** A list or watch of one name is authorized as that name: rules with resourceNames rely on it. */
function nameSelected(fieldSelector: string | undefined): string | undefined {
  return /^metadata\.name=([^,=!]+)$/.exec(fieldSelector ?? '')?.[1];
}
