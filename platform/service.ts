/**
 * The one contract of everything that runs: a member, a worker, a controller, a front. Whoever composes them starts
 * in order and stops in reverse order.
 */
export interface Service {
  readonly name: string;
  /** Resolves when the service is ready for work; rejects when it cannot start. Called once. */
  start(): Promise<void>;
  /** Stops taking work, finishes what is under way, releases everything. Safe to call at any time and twice. */
  stop(): Promise<void>;
}

/** Starts services in order; when one fails, stops those already started and rethrows. */
export async function startAll(services: readonly Service[]): Promise<void> {
  const started: Service[] = [];
  try {
    for (const service of services) {
      started.push(service);
      await service.start();
    }
  } catch (error) {
    await stopAll(started);
    throw error;
  }
}

/** Stops services in reverse order. Every one is stopped, then the first error is rethrown. */
export async function stopAll(services: readonly Service[]): Promise<void> {
  const errors: unknown[] = [];
  for (const service of services.toReversed()) {
    try {
      await service.stop();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
