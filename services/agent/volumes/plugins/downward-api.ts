import { MODE_DEFAULT, downwardFiles } from '../files.js';
import { renderedPlugin } from './rendered.js';

export const downwardApiPlugin = renderedPlugin({
  type: 'downwardAPI',
  files: (source, pod, sources) =>
    new Map(downwardFiles(source, { pod, sources, mode: source.defaultMode ?? MODE_DEFAULT })),
  secret: () => false,
});
