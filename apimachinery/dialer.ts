/**
 * The one way by which a member opens a connection into the cluster: webhooks, aggregated APIs, conversion, the
 * proxy subresources. Bytes only: HTTP and TLS are the caller's, and so is the refusal of redirects
 * (CVE-2020-8559, CVE-2022-3172).
 */
import type { Duplex } from 'node:stream';

export type DialTarget = ServiceTarget | PodTarget | NodeTarget | UrlTarget;

interface ServiceTarget {
  readonly kind: 'service';
  readonly namespace: string;
  readonly name: string;
  /** The Service's port by number or by name; '' is a port without a name. */
  readonly port: number | string;
  /**
   * Also dials what is not a pod: an ExternalName, and endpoints that somebody wrote by hand. Only for callers
   * that an administrator configures (webhooks, APIServices): whoever may write EndpointSlices chooses where it
   * leads.
   */
  readonly beyondPods?: true;
}

interface PodTarget {
  readonly kind: 'pod';
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/** Reaches the port at which the worker itself serves, and no other port of its machine. */
interface NodeTarget {
  readonly kind: 'node';
  readonly name: string;
  readonly port: number;
}

/** A host outside of the pod network, dialled from this member. */
interface UrlTarget {
  readonly kind: 'url';
  /** A DNS name or an address. */
  readonly host: string;
  readonly port: number;
}

export interface DialOptions {
  /** Ends the dial, and later the connection. */
  readonly signal: AbortSignal;
  /** For the whole dial, with every endpoint that is tried. Default: 10,000. */
  readonly timeout_ms?: number;
}

export interface Dialer {
  /**
   * Rejects with an ApiError: NotFound for an object that does not exist, BadRequest for a target that may not be
   * dialled, ServiceUnavailable when nothing answers, Timeout, TooManyRequests above the limit of connections; or
   * with the signal's reason.
   */
  dial(target: DialTarget, options: DialOptions): Promise<Duplex>;
}
