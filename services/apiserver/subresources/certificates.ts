/** `certificatesigningrequests/approval`: the one way to approve or deny a request. */
import type { UnknownObject } from '../../../apimachinery/object.js';
import { isObject } from '../../../apimachinery/value.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { toTime } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import type { ParentMutation } from '../ports.js';

const DECISIONS = new Set<unknown>(['Approved', 'Denied']);

/** Takes the decisions from the body and leaves the rest as it is; what was decided stays decided. */
export function approvalMutation(clock: Clock): ParentMutation {
  return {
    apply(draft, body) {
      const open = draft as UnknownObject;
      const status = isObject(open['status']) ? open['status'] : {};
      const now = toTime(clock.now());
      const before = conditionsOf(open);
      const decided = new Set(before.map((condition) => condition['type']));
      const added = conditionsOf(body as UnknownObject)
        .filter(({ type }) => DECISIONS.has(type) && !decided.has(type))
        .map((condition) => ({
          ...condition,
          lastUpdateTime: condition['lastUpdateTime'] ?? now,
          lastTransitionTime: condition['lastTransitionTime'] ?? now,
        }));
      open['status'] = { ...status, conditions: [...before, ...added] };
    },
  };
}

function conditionsOf(object: UnknownObject): JsonObject[] {
  const status = object['status'];
  const conditions = isObject(status) ? status['conditions'] : undefined;
  return Array.isArray(conditions) ? conditions.filter(isObject) : [];
}
