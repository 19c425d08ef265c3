/** What this build calls itself, and the Kubernetes version whose API it serves. */
export const VERSION = '0.1.0';
export const KUBERNETES_VERSION = { major: '1', minor: '36', gitVersion: `v1.36.0+navarch.${VERSION}` } as const;
