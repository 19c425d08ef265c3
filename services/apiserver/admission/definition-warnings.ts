/**
 * Warnings about CustomResourceDefinitions: a format that nothing checks is no fault, and may be a slip. What stood
 * there before is not told again.
 */
import { unknownFormats } from '../../../apimachinery/crd/unknown-formats.js';
import { concerns } from './plugin.js';
import type { AdmissionPlugin } from './plugin.js';

const WARNINGS_MAX = 20;

export function definitionWarnings(): AdmissionPlugin {
  return {
    name: 'DefinitionWarnings',
    validate(attributes) {
      if (!concerns(attributes, 'apiextensions.k8s.io', 'customresourcedefinitions') || attributes.object === undefined)
        return;
      const known = new Set(unknownFormats(attributes.oldObject));
      for (const format of unknownFormats(attributes.object)
        .filter((one) => !known.has(one))
        .slice(0, WARNINGS_MAX))
        attributes.warn(`unrecognized format ${JSON.stringify(format)}`);
    },
  };
}
