/** NodePorts: host ports that the pod asks for are free on the node. */
import { busy } from '../framework/plugin.js';
import type { Plugin } from '../framework/plugin.js';

export const nodePorts: Plugin = {
  name: 'NodePorts',
  preFilter(pod) {
    if (pod.hostPorts.length === 0) return 'skip';
    return {
      kind: 'filter',
      filter: (node) =>
        pod.hostPorts.some((port) => node.isPortTaken(port))
          ? busy("node(s) didn't have free ports for the requested pod ports")
          : undefined,
    };
  },
  mayHelp: (event, pod) =>
    event.kind === 'node-added' || (event.kind === 'pod-removed' && sharesPort(event.pod.hostPorts, pod.hostPorts)),
};

function sharesPort(a: readonly { readonly port: number }[], b: readonly { readonly port: number }[]): boolean {
  return a.some(({ port }) => b.some((other) => other.port === port));
}
