/**
 * How a host becomes a worker: a token that is good, a name that is free or its own, then a certificate over its key.
 */
import { status as GrpcStatus } from '@grpc/grpc-js';
import { requestKeyDigest, SigningRequestError } from '../../platform/pki/x509.js';
import type { Logger } from '../../platform/log.js';
import type { RegisterRequest, RegisterResponse } from '../../proto/gen/navarch/node/v1/node.js';
import { NameInUseError, type NodeKeys } from './node-keys.js';
import type { JoinTokens, MemberDirectory, NodeCertificates } from './ports.js';

const NODE_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export interface RegistrationOptions {
  readonly tokens: JoinTokens;
  readonly keys: NodeKeys;
  readonly certificates: NodeCertificates;
  readonly members: Pick<MemberDirectory, 'endpoints'>;
  readonly logger: Logger;
}

/** A refusal with its gRPC code. */
export class RegistrationError extends Error {
  override readonly name = 'RegistrationError';
  readonly code: number;
  readonly details: string;

  constructor(code: number, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

const WRONG_TOKEN = 'the join token is wrong, used up or has expired; make a new one with `navarch token create`';

/** Throws RegistrationError. */
export async function register(request: RegisterRequest, options: RegistrationOptions): Promise<RegisterResponse> {
  const { nodeName, token, csr } = request;
  const { tokens, keys, certificates, members, logger } = options;
  try {
    // Before anything else: who has no token learns nothing of names.
    const grant = await tokens.find(token);
    if (grant === undefined) throw new RegistrationError(GrpcStatus.UNAUTHENTICATED, WRONG_TOKEN);
    if (!NODE_NAME.test(nodeName))
      throw new RegistrationError(
        GrpcStatus.INVALID_ARGUMENT,
        `"${nodeName.slice(0, 300)}" is not a node name: lower-case letters, digits, '-' and '.'`,
      );
    if (certificates.reservedNames().includes(nodeName))
      throw new RegistrationError(
        GrpcStatus.PERMISSION_DENIED,
        `"${nodeName}" is a name of the control plane: choose another --name`,
      );
    const key = await requestKeyDigest(csr);
    // A host that asks again, the answer having been lost, has joined: it spends nothing.
    if ((await keys.check(nodeName, key)) !== 'own' && !(await grant.spend()))
      throw new RegistrationError(GrpcStatus.UNAUTHENTICATED, WRONG_TOKEN);
    await keys.claim(nodeName, key);
    const { certificate, ca } = await certificates.signNodeCertificate(csr, nodeName);
    logger.info({ node: nodeName, tokenId: token.slice(0, 6) }, 'a worker has joined');
    return { certificate, ca, endpoints: [...members.endpoints()] };
  } catch (error) {
    logger.warn({ node: nodeName.slice(0, 300), error: String(error) }, 'a worker could not join');
    throw refusalOf(error);
  }
}

export function refusalOf(error: unknown): RegistrationError {
  if (error instanceof RegistrationError) return error;
  if (error instanceof NameInUseError) return new RegistrationError(GrpcStatus.ALREADY_EXISTS, error.message);
  if (error instanceof SigningRequestError) return new RegistrationError(GrpcStatus.INVALID_ARGUMENT, error.message);
  return new RegistrationError(GrpcStatus.UNAVAILABLE, error instanceof Error ? error.message : String(error));
}
