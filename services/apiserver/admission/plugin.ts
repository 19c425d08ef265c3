/**
 * Admission: what a write must become, and whether it may happen, beyond the rules of its kind. Each plugin is one
 * file; the chain runs them in order, first all that mutate, later all that validate (k8s.io/apiserver/pkg/admission).
 */
import type { Kind } from '../../../apimachinery/kind.js';
import type { Admission, AdmissionAttributes } from '../ports.js';

export interface AdmissionPlugin {
  readonly name: string;
  mutate?(attributes: AdmissionAttributes): Promise<void> | void;
  validate?(attributes: AdmissionAttributes): Promise<void> | void;
}

export class AdmissionChain implements Admission {
  readonly #mutating: readonly AdmissionPlugin[];
  readonly #validating: readonly AdmissionPlugin[];

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#mutating = plugins.filter((plugin) => plugin.mutate !== undefined);
    this.#validating = plugins.filter((plugin) => plugin.validate !== undefined);
  }

  async mutate(attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#mutating) await plugin.mutate?.(attributes);
  }

  async validate(attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#validating) await plugin.validate?.(attributes);
  }
}

/** Is this a write of the named core or grouped resource itself, not of a subresource? */
export function concerns(attributes: AdmissionAttributes, group: string, resource: string): boolean {
  return attributes.subresource === undefined && isResource(attributes.kind, group, resource);
}

export function isResource(kind: Kind, group: string, resource: string): boolean {
  return kind.group === group && kind.resource === resource;
}
