/** Runs a service in the foreground: until SIGTERM or SIGINT, which end it in order, a second one at once. */
import { holdProcess } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Service } from '../../platform/service.js';

export async function runUntilSignal(service: Service, logger: Logger): Promise<void> {
  let signals = 0;
  let stop: (signal: NodeJS.Signals) => void = () => undefined;
  const asked = new Promise<NodeJS.Signals>((resolve) => {
    stop = resolve;
  });
  const onSignal = (signal: NodeJS.Signals) => {
    signals++;
    if (signals > 1) process.exit(130);
    stop(signal);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  const hold = holdProcess();
  try {
    const started = service.start();
    const first = await Promise.race([started.then(() => 'started' as const), asked]);
    if (first === 'started') {
      logger.info({ service: service.name }, 'ready');
      const signal = await asked;
      logger.info({ signal }, 'stopping');
    }
    await service.stop();
  } finally {
    hold.cancel();
  }
  process.exit(0);
}
