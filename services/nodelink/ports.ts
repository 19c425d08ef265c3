/** What nodelink needs of the member that it runs in: certificates, join tokens, and who the members are. */

export interface NodeCertificates {
  /**
   * Signs for CN=system:node:`nodeName`, O=system:nodes; of the request (PKCS #10, PEM) only the public key counts. PEM
   * out.
   */
  signNodeCertificate(csr: string, nodeName: string): Promise<{ readonly certificate: string; readonly ca: string }>;
  /** Signs for a server known by `names`, and for no client; of the request only the public key counts. */
  signServingCertificate(
    csr: string,
    nodeName: string,
    names: readonly string[],
  ): Promise<{ readonly certificate: string; readonly ca: string }>;
  /** Names and addresses under which members serve: no worker's certificate may carry one. */
  reservedNames(): readonly string[];
}

export interface JoinTokens {
  /** Undefined when nobody may join with this token. Compares in constant time. */
  find(token: string): Promise<JoinGrant | undefined>;
}

export interface JoinGrant {
  /** Takes one of the token's uses; false when none is left. */
  spend(): Promise<boolean>;
}

export interface MemberDirectory {
  readonly id: string;
  /** `host:port` of every member's gRPC port. */
  endpoints(): readonly string[];
  onChange(listener: () => void): () => void;
}
