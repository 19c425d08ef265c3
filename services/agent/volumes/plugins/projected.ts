/** Several sources in one volume, each by its row in PROJECTIONS. */
import { tokenNeedOf } from '../../../../apimachinery/node-objects/tokens.js';
import { ConfigError } from '../../pod-spec/env.js';
import type { VolumeProjection } from '../../pod-spec/types.js';
import { MODE_DEFAULT, checkPath, configMapFiles, downwardFiles, secretFiles, utf8 } from '../files.js';
import type { FileEntry, RenderContext } from '../files.js';
import { renderedPlugin } from './rendered.js';

type ProjectionType = keyof VolumeProjection;
type Token = NonNullable<VolumeProjection['serviceAccountToken']>;

interface Projection<T extends ProjectionType> {
  readonly secret: boolean;
  files(source: NonNullable<VolumeProjection[T]>, context: RenderContext): FileEntry[];
}

const PROJECTIONS: { readonly [T in ProjectionType]?: Projection<T> } = {
  configMap: { secret: false, files: configMapFiles },
  secret: { secret: true, files: secretFiles },
  downwardAPI: { secret: false, files: downwardFiles },
  serviceAccountToken: { secret: true, files: tokenFiles },
};

export const projectedPlugin = renderedPlugin({
  type: 'projected',
  files: ({ sources: projections, defaultMode }, pod, sources) => {
    const context = { pod, sources, mode: defaultMode ?? MODE_DEFAULT };
    return new Map(
      (projections ?? []).flatMap((projection) =>
        typesOf(projection).flatMap((type) => filesOf(projection, type, context)),
      ),
    );
  },
  secret: ({ sources }) =>
    (sources ?? []).some((projection) => typesOf(projection).some((type) => PROJECTIONS[type]?.secret === true)),
});

const typesOf = (projection: VolumeProjection) =>
  (Object.keys(projection) as ProjectionType[]).filter((type) => projection[type] !== undefined);

function filesOf<T extends ProjectionType>(projection: VolumeProjection, type: T, context: RenderContext): FileEntry[] {
  const source: VolumeProjection[T] = projection[type];
  const found = PROJECTIONS[type];
  if (found === undefined)
    throw new ConfigError(`this node does not support "${type}" as a source of a projected volume`);
  return source === undefined || source === null ? [] : found.files(source, context);
}

function tokenFiles(source: Token, { pod, sources }: RenderContext): FileEntry[] {
  const token = sources.token(tokenNeedOf(source));
  if (token === undefined) throw new ConfigError('no service account token yet');
  const { runAsUser, fsGroup } = pod.spec?.securityContext ?? {};
  // Readable for root and the pod's group; without either named, for whoever the container runs as.
  const mode = runAsUser === undefined && fsGroup === undefined ? 0o644 : 0o640;
  return [[checkPath(source.path), { data: utf8(token), mode }]];
}
