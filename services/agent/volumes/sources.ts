/** What volumes are made from. */
import type { ObjectReference } from '../../../apimachinery/node-objects/references.js';
import type { TokenNeed } from '../../../apimachinery/node-objects/tokens.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { PodSources } from '../pod-spec/env.js';

export interface VolumeSources extends PodSources {
  /** Any object that the pod refers to. */
  object(reference: ObjectReference): KubeObject | undefined;
  /** A token fetched before; rendering is not asynchronous. */
  token(need: TokenNeed): string | undefined;
}
