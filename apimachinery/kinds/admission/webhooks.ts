/**
 * Validation of webhook configurations (k8s.io/kubernetes/pkg/apis/admissionregistration/validation). The order of
 * complaints is Kubernetes' own.
 */
import type { Work } from '../../../platform/work.js';
import { clientConfigErrors } from '../../crd/webhook-client.js';
import type { StrategyContext } from '../../kind.js';
import { dns1035Label, dns1123Subdomain } from '../../names.js';
import type { FieldError } from '../../status.js';
import { complaintsWork, type Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import { absent, field, optionalNum, recs, same, str, strs, type Rec } from '../lib/value.js';
import { matchConditionWork } from './expressions.js';
import { FAILURE_POLICIES, MATCH_POLICIES, validateRule } from './match.js';

const NO_EFFECTS = ['None', 'NoneOnDryRun'];
const EFFECTS = ['None', 'NoneOnDryRun', 'Some', 'Unknown'];
const REVIEWS = ['v1', 'v1beta1'];
const TIMEOUT_SECONDS_MAX = 30;
const SEGMENTS_MIN = 3;
/** Of a webhook, and of what it lists, in units of Work. */
const WEBHOOK_UNITS = 200;
const ITEM_UNITS = 20;

/** What is asked of each webhook. Configurations that were stored before a rule was there may break it still. */
interface Rules {
  readonly effects: readonly string[];
  readonly isKnownReviewNeeded: boolean;
  readonly areNamesUnique: boolean;
  readonly areConditionsKept: boolean;
}

const isUnique = (names: readonly string[]): boolean => new Set(names).size === names.length;
const knowsReview = (webhook: Rec): boolean =>
  strs(webhook['admissionReviewVersions']).some((version) => REVIEWS.includes(version));

function rulesOf(webhooks: readonly Rec[], before: readonly Rec[] | undefined): Rules {
  if (before === undefined)
    return { effects: NO_EFFECTS, isKnownReviewNeeded: true, areNamesUnique: true, areConditionsKept: false };
  return {
    effects: before.every((webhook) => NO_EFFECTS.includes(str(webhook['sideEffects']))) ? NO_EFFECTS : EFFECTS,
    isKnownReviewNeeded: before.every(
      (webhook) => strs(webhook['admissionReviewVersions']).length === 0 || knowsReview(webhook),
    ),
    areNamesUnique: isUnique(before.map((webhook) => str(webhook['name']))),
    areConditionsKept:
      before.length === webhooks.length &&
      before.every((webhook, index) => same(webhook['matchConditions'], webhooks[index]?.['matchConditions'])),
  };
}

function validateName(complaints: Complaints, name: string, path: string): void {
  const wrong = dns1123Subdomain(name);
  if (name === '') complaints.required(path);
  else if (wrong.length > 0) complaints.invalid(path, name, wrong.join(','));
  else if (name.split('.').length < SEGMENTS_MIN)
    complaints.invalid(path, name, 'should be a domain with at least three segments separated by dots');
}

function validateReviews(complaints: Complaints, webhook: Rec, path: string, isKnownNeeded: boolean): void {
  const versions = strs(webhook['admissionReviewVersions']);
  if (versions.length === 0) return complaints.required(path, `must specify one of ${REVIEWS.join(', ')}`);
  const seen = new Set<string>();
  for (const [index, version] of versions.entries()) {
    if (seen.has(version)) complaints.invalid(`${path}[${index}]`, version, 'duplicate version');
    else complaints.form(`${path}[${index}]`, version, dns1035Label);
    seen.add(version);
  }
  if (isKnownNeeded && !knowsReview(webhook))
    complaints.invalid(path, versions, `must include at least one of ${REVIEWS.join(', ')}`);
}

function* validateWebhook(complaints: Complaints, webhook: Rec, path: string, rules: Rules): Work<void> {
  validateName(complaints, str(webhook['name']), `${path}.name`);
  for (const [index, rule] of recs(webhook['rules']).entries())
    validateRule(complaints, rule, `${path}.rules[${index}]`);
  complaints.enumerated(`${path}.failurePolicy`, webhook['failurePolicy'], FAILURE_POLICIES);
  complaints.enumerated(`${path}.matchPolicy`, webhook['matchPolicy'], MATCH_POLICIES);
  if (absent(webhook['sideEffects']))
    complaints.required(`${path}.sideEffects`, `must specify one of ${rules.effects.join(', ')}`);
  complaints.enumerated(`${path}.sideEffects`, webhook['sideEffects'], rules.effects);
  const timeout = optionalNum(webhook['timeoutSeconds']);
  if (timeout !== undefined && (timeout > TIMEOUT_SECONDS_MAX || timeout < 1))
    complaints.invalid(
      `${path}.timeoutSeconds`,
      timeout,
      `the timeout value must be between 1 and ${TIMEOUT_SECONDS_MAX} seconds`,
    );
  for (const name of ['namespaceSelector', 'objectSelector'])
    validateLabelSelector(complaints, webhook[name], `${path}.${name}`);
  complaints.enumerated(`${path}.reinvocationPolicy`, webhook['reinvocationPolicy'], ['IfNeeded', 'Never']);
  complaints.add(clientConfigErrors(webhook['clientConfig'], `${path}.clientConfig`));
  if (!rules.areConditionsKept)
    complaints.add(yield* matchConditionWork(webhook['matchConditions'], `${path}.matchConditions`));
  validateReviews(complaints, webhook, `${path}.admissionReviewVersions`, rules.isKnownReviewNeeded);
}

export function validateWebhooks(object: Rec, context?: StrategyContext): Work<FieldError[]> {
  return complaintsWork(function* (complaints) {
    const webhooks = recs(object['webhooks']);
    const rules = rulesOf(webhooks, context?.old === undefined ? undefined : recs(field(context.old, 'webhooks')));
    const names = new Set<string>();
    for (const [index, webhook] of webhooks.entries()) {
      const path = `webhooks[${index}]`;
      const name = str(webhook['name']);
      yield* validateWebhook(complaints, webhook, path, rules);
      yield (
        WEBHOOK_UNITS + ITEM_UNITS * (recs(webhook['rules']).length + strs(webhook['admissionReviewVersions']).length)
      );
      if (rules.areNamesUnique && name !== '' && names.has(name)) complaints.duplicate(`${path}.name`, name);
      names.add(name);
    }
  });
}
