/** Indexes that several controllers share: an informer keeps one of each name. */
import type { Pod } from '../../../apimachinery/gen/types.js';
import type { KubeObject } from '../../../apimachinery/object.js';

export const NAMESPACE_INDEX = 'namespace';

export const byNamespace = ({ metadata }: KubeObject): string[] => [metadata?.namespace ?? ''];

export const NODE_INDEX = 'node';

/** '' for pods that no node has yet. */
export const byNode = ({ spec }: Pod): string[] => [spec?.nodeName ?? ''];
