import { MODE_DEFAULT, configMapFiles } from '../files.js';
import { renderedPlugin } from './rendered.js';

export const configMapPlugin = renderedPlugin({
  type: 'configMap',
  files: (source, pod, sources) =>
    new Map(configMapFiles(source, { pod, sources, mode: source.defaultMode ?? MODE_DEFAULT })),
  secret: () => false,
});
