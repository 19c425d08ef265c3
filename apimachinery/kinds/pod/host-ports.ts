/** The ports of its node that a pod takes. Pure. */
import type { Pod } from '../../gen/types.js';

const ANY_ADDRESS = '0.0.0.0';

export interface HostPort {
  /** 0.0.0.0: all of the node's. */
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

export function hostPortsOf(pod: Pod): HostPort[] {
  const { containers = [], initContainers = [], hostNetwork } = pod.spec ?? {};
  // Sidecars run beside the containers; other init containers have ended by then.
  const running = [...containers, ...initContainers.filter((container) => container.restartPolicy === 'Always')];
  return running.flatMap((container) =>
    (container.ports ?? []).flatMap((port) => {
      const number = port.hostPort ?? (hostNetwork === true ? port.containerPort : 0);
      if (number === 0) return [];
      return [
        {
          ip: port.hostIP === undefined || port.hostIP === '' ? ANY_ADDRESS : port.hostIP,
          protocol: port.protocol ?? 'TCP',
          port: number,
        },
      ];
    }),
  );
}

export function portsConflict(a: HostPort, b: HostPort): boolean {
  return (
    a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === ANY_ADDRESS || b.ip === ANY_ADDRESS)
  );
}
