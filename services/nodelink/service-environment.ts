/** The variables through which containers find Services without DNS (Kubernetes: "Discovering services"). */
import type { Service } from '../../apimachinery/gen/types.js';

/** `services`: those of the pod's namespace (when it wants links) and `default/kubernetes`. */
export function serviceEnvironment(services: readonly Service[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const service of services) {
    const address = service.spec?.clusterIP;
    const ports = service.spec?.ports ?? [];
    const [first] = ports;
    if (address === undefined || address === '' || address === 'None' || first === undefined) continue;
    const host = address.includes(':') ? `[${address}]` : address;
    const name = (service.metadata?.name ?? '').toUpperCase().replaceAll('-', '_');
    result[`${name}_SERVICE_HOST`] = address;
    result[`${name}_SERVICE_PORT`] = String(first.port);
    result[`${name}_PORT`] = `${(first.protocol ?? 'TCP').toLowerCase()}://${host}:${first.port}`;
    for (const port of ports) {
      const protocol = port.protocol ?? 'TCP';
      const prefix = `${name}_PORT_${port.port}_${protocol}`;
      if (port.name !== undefined && port.name !== '')
        result[`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`] = String(port.port);
      result[prefix] = `${protocol.toLowerCase()}://${host}:${port.port}`;
      result[`${prefix}_PROTO`] = protocol.toLowerCase();
      result[`${prefix}_PORT`] = String(port.port);
      result[`${prefix}_ADDR`] = address;
    }
  }
  return result;
}
