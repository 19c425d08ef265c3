/** Who attacks: the administrator, a user whose certificate is in order and who may do nothing, and nobody. */
import { systemClock } from '../../platform/clock.js';
import { issueCertificate } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import type { Fleet } from './fleet.js';
import type { CallerTls } from './flood-tools.js';

const HOUR_MS = 3_600_000;

export interface Caller {
  readonly name: 'administrator' | 'guest' | 'nobody';
  readonly tls: CallerTls;
}

export async function callersOf({ secrets }: Fleet): Promise<readonly Caller[]> {
  const { client, pki } = secrets;
  const guest = await issueCertificate(
    pki.clusterAuthority,
    { subject: { commonName: 'guest' }, usages: ['client'], lifetime_ms: HOUR_MS },
    { clock: systemClock, random: systemRandom },
  );
  return [
    { name: 'administrator', tls: client },
    { name: 'guest', tls: { ca: client.ca, cert: guest.certificate, key: guest.privateKey } },
    { name: 'nobody', tls: { ca: client.ca } },
  ];
}
