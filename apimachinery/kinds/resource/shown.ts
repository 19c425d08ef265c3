/** What complaints show of claims, as Go prints the internal types of resource.k8s.io. */
import { count, listOf, mapOf, nodeSelector, optional, pointer, struct, text, texts } from '../lib/shown.js';
import { field, isRec } from '../lib/value.js';

const toleration = struct({ Key: text, Operator: text, Value: text, Effect: text, TolerationSeconds: pointer });
const opaque = optional(struct({ Driver: text, Parameters: pointer }));
const selectors = listOf(struct({ CEL: ['cel', optional(struct({ Expression: text }))] }));
const capacity = optional(struct({ Requests: mapOf(text) }));

const exactly = struct({
  DeviceClassName: text,
  Selectors: selectors,
  AllocationMode: text,
  Count: count,
  AdminAccess: pointer,
  Tolerations: listOf(toleration),
  Capacity: capacity,
});
const alternative = struct({
  Name: text,
  DeviceClassName: text,
  Selectors: selectors,
  AllocationMode: text,
  Count: count,
  Tolerations: listOf(toleration),
  Capacity: capacity,
});

export const shownClaimSpec = struct({
  Devices: struct({
    Requests: listOf(struct({ Name: text, Exactly: optional(exactly), FirstAvailable: listOf(alternative) })),
    Constraints: listOf(struct({ Requests: texts, MatchAttribute: pointer, DistinctAttribute: pointer })),
    Config: listOf(struct({ Requests: texts, Opaque: opaque })),
  }),
});

/** The metadata of a template stands between, under its names in JSON. */
export const shownTemplateSpec = (spec: unknown): unknown => {
  const metadata = field(spec, 'metadata');
  return { ...(isRec(metadata) ? metadata : {}), Spec: shownClaimSpec(field(spec, 'spec')) };
};

const result = struct({
  Request: text,
  Driver: text,
  Pool: text,
  Device: text,
  AdminAccess: pointer,
  Tolerations: listOf(toleration),
  BindingConditions: texts,
  BindingFailureConditions: texts,
  ShareID: pointer,
  ConsumedCapacity: mapOf(text),
});

export const shownAllocation = struct({
  Devices: struct({
    Results: listOf(result),
    Config: listOf(struct({ Source: text, Requests: texts, Opaque: opaque })),
  }),
  NodeSelector: optional(nodeSelector),
  AllocationTimestamp: pointer,
});

/** Which device, and which share of it. */
export const shownDevice = struct({ Driver: text, Pool: text, Device: text, ShareID: text });
