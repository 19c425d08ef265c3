import { MODE_DEFAULT, secretFiles } from '../files.js';
import { renderedPlugin } from './rendered.js';

export const secretPlugin = renderedPlugin({
  type: 'secret',
  files: ({ secretName, defaultMode, ...source }, pod, sources) =>
    new Map(
      secretFiles(
        { ...source, ...(secretName === undefined ? {} : { name: secretName }) },
        { pod, sources, mode: defaultMode ?? MODE_DEFAULT },
      ),
    ),
  secret: () => true,
});
