/**
 * Selectors in a review of access that cannot be read: the answer is that for the rest, and says so
 * (k8s.io/kubernetes/pkg/registry/authorization/util).
 */
import { labelKey, labelValue } from '../../../apimachinery/names.js';
import { parseFieldSelector } from '../../../apimachinery/selector/fields.js';
import { parseLabelSelector } from '../../../apimachinery/selector/label-text.js';
import { isApiError } from '../../../apimachinery/status.js';

interface Requirement {
  readonly key?: string;
  readonly operator?: string;
  readonly values?: readonly string[] | null;
}

interface ReviewSelector {
  readonly rawSelector?: string;
  readonly requirements?: readonly Requirement[];
}

export interface ReviewSelectors {
  readonly fieldSelector?: ReviewSelector;
  readonly labelSelector?: ReviewSelector;
}

export function selectorErrors({ fieldSelector, labelSelector }: ReviewSelectors = {}): string[] {
  return [
    ...complaintAbout('fieldSelector', fieldSelector, { parse: parseFieldSelector, isGood: isFieldRequirement }),
    ...complaintAbout('labelSelector', labelSelector, { parse: parseLabelSelector, isGood: isLabelRequirement }),
  ];
}

interface Reading {
  readonly parse: (text: string) => unknown;
  readonly isGood: (requirement: Requirement) => boolean;
}

function complaintAbout(
  name: keyof ReviewSelectors,
  selector: ReviewSelector = {},
  { parse, isGood }: Reading,
): string[] {
  const { rawSelector = '', requirements = [] } = selector;
  const good = requirements.filter(isGood).length;
  if (requirements.length === 0 ? isParsed(rawSelector, parse) : good === requirements.length) return [];
  return [`spec.resourceAttributes.${name} ${good > 0 ? 'partially ' : ''}ignored due to parse error`];
}

function isParsed(text: string, parse: Reading['parse']): boolean {
  try {
    parse(text);
    return true;
  } catch (error) {
    if (isApiError(error)) return false;
    throw error;
  }
}

/** As yet fields are compared with one value. */
const isFieldRequirement = ({ operator, values }: Requirement): boolean =>
  (operator === 'In' || operator === 'NotIn') && values?.length === 1;

function isLabelRequirement({ key = '', operator, values }: Requirement): boolean {
  const isCounted =
    operator === 'In' || operator === 'NotIn'
      ? (values ?? []).length > 0
      : (operator === 'Exists' || operator === 'DoesNotExist') && (values ?? []).length === 0;
  return isCounted && labelKey(key).length === 0 && (values ?? []).every((value) => labelValue(value).length === 0);
}
