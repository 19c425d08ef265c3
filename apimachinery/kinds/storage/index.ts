/** storage.k8s.io and resource.k8s.io. */
import type { Work } from '../../../platform/work.js';
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import type { ExtrasTable } from '../extras.js';
import { ALL_METADATA, strategyOf } from '../lib/strategy.js';
import { absent, at, child, children, field, fill, fillZero, isRec, list, str, type Rec } from '../lib/value.js';
import { defaultVolumeSources } from '../volumes/defaults.js';
import { defaultPrinter } from '../printers/columns.js';
import { resourceClaimPrinter, resourceSlicePrinter } from '../printers/policy.js';
import * as print from '../printers/storage.js';
import { judgeSelectors } from '../resource/selectors.js';
import { dropDeallocated } from '../resource/validate-claim-status.js';
import { validateClaim, validateClaimTemplate, validateDeviceClass } from '../resource/validate-claim.js';
import { resourceSliceStrategy } from '../resource/slices.js';
import { storageClassStrategy } from './claims.js';
import { validateAttachment, validateAttributesClass } from './validate-classes.js';
import { validateDriver, validateNode, validateStorageCapacity } from './validate-csi.js';

/** VolumeLimitScaling is off in v1.36. */
function dropScheduling(driver: Rec, old?: Rec): void {
  const spec = field(driver, 'spec');
  if (isRec(spec) && absent(at(old, 'spec', 'preventPodSchedulingIfMissing')))
    delete spec['preventPodSchedulingIfMissing'];
}

const csiDriver = strategyOf({
  generation: { fromNothing: true },
  allowUnconditionalUpdate: false,
  returnsDeleted: true,
  create: (driver) => dropScheduling(driver),
  update: (driver, old) => dropScheduling(driver, old),
  validatesAll: true,
  validate: validateDriver,
  defaults: (object) => {
    const spec = child(object, 'spec');
    if (spec === undefined) return;
    fill(spec, 'attachRequired', true);
    for (const name of ['podInfoOnMount', 'storageCapacity', 'requiresRepublish', 'seLinuxMount'])
      fill(spec, name, false);
    fill(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType');
    if (list(spec['volumeLifecycleModes']).length === 0) spec['volumeLifecycleModes'] = ['Persistent'];
  },
});

/** A request names how many devices it wants: one, unless it says otherwise. */
function defaultDevices(spec: unknown): void {
  for (const request of children(field(spec, 'devices'), 'requests')) {
    const { exactly } = request;
    for (const wanted of [...(isRec(exactly) ? [exactly] : []), ...children(request, 'firstAvailable')]) {
      fillZero(wanted, 'allocationMode', 'ExactCount');
      if (wanted['allocationMode'] === 'ExactCount') fillZero(wanted, 'count', 1);
      for (const toleration of children(wanted, 'tolerations')) fillZero(toleration, 'operator', 'Equal');
    }
  }
}

/** Expressions are judged first: they may be long. */
const judged = (validate: (object: Rec, context?: StrategyContext) => FieldError[]) =>
  function* (object: Rec, context?: StrategyContext): Work<FieldError[]> {
    yield* judgeSelectors(object['spec']);
    return validate(object, context);
  };

export const storageExtras: ExtrasTable = {
  'storage.k8s.io/storageclasses': {
    shortNames: ['sc'],
    printer: print.storageClassPrinter,
    strategy: storageClassStrategy,
  },
  'storage.k8s.io/csidrivers': { printer: print.csiDriverPrinter, strategy: csiDriver },
  'storage.k8s.io/csinodes': {
    printer: print.csiNodePrinter,
    strategy: strategyOf({
      allowUnconditionalUpdate: false,
      returnsDeleted: true,
      validatesAll: true,
      validate: validateNode,
    }),
  },
  'storage.k8s.io/csistoragecapacities': {
    strategy: strategyOf({ allowUnconditionalUpdate: false, validatesAll: true, validate: validateStorageCapacity }),
  },
  'storage.k8s.io/volumeattachments': {
    printer: print.volumeAttachmentPrinter,
    strategy: strategyOf({
      allowUnconditionalUpdate: false,
      returnsDeleted: true,
      status: true,
      statusKeeps: ALL_METADATA,
      validatesAll: true,
      validate: validateAttachment,
      defaults: (attachment) => {
        const inline = at(attachment, 'spec', 'source', 'inlineVolumeSpec');
        if (isRec(inline)) defaultVolumeSources(inline);
      },
    }),
  },
  'storage.k8s.io/volumeattributesclasses': {
    shortNames: ['vac'],
    printer: print.volumeAttributesClassPrinter,
    strategy: strategyOf({ returnsDeleted: true, validatesAll: true, validate: validateAttributesClass }),
  },
  'resource.k8s.io/resourceclaims': {
    printer: resourceClaimPrinter,
    strategy: strategyOf({
      returnsDeleted: true,
      status: true,
      statusKeeps: ALL_METADATA,
      defaults: (claim) => defaultDevices(field(claim, 'spec')),
      validatesAll: true,
      validateWork: judged(validateClaim),
      update: (claim, old, { subresource }) => {
        if (subresource === 'status') dropDeallocated(claim, old);
      },
    }),
  },
  'resource.k8s.io/resourceclaimtemplates': {
    printer: defaultPrinter,
    strategy: strategyOf({
      returnsDeleted: true,
      defaults: (template) => defaultDevices(at(template, 'spec', 'spec')),
      validatesAll: true,
      validateWork: judged(validateClaimTemplate),
    }),
  },
  'resource.k8s.io/resourceslices': {
    printer: resourceSlicePrinter,
    strategy: resourceSliceStrategy,
    fieldSelectors: {
      'spec.nodeName': (slice) => str(at(slice, 'spec', 'nodeName')),
      'spec.driver': (slice) => str(at(slice, 'spec', 'driver')),
    },
    fieldRefusal: (field) => `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${field}`,
  },
  'resource.k8s.io/deviceclasses': {
    printer: defaultPrinter,
    strategy: strategyOf({
      generation: true,
      returnsDeleted: true,
      validatesAll: true,
      validateWork: judged(validateDeviceClass),
    }),
  },
};
