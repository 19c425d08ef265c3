/** Events about objects of one kind, in the words of `kubectl describe`. */
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import type { EventSink } from '../context.js';

export interface KindEvents {
  normal(object: KubeObject, reason: string, message: string): void;
  warning(object: KubeObject, reason: string, message: string): void;
}

export function eventsFor(sink: EventSink, resource: Resource): KindEvents {
  return {
    normal: (object, reason, message) => sink.event({ resource, object }, 'Normal', reason, message),
    warning: (object, reason, message) => sink.event({ resource, object }, 'Warning', reason, message),
  };
}
