/** TEST SUPPORT: the test registry with what built-in resources do, but for what needs a network or tokens. */
import { systemClock } from '../../../platform/clock.js';
import { seededRandom } from '../../../platform/random.js';
import { objectReader } from '../registry/reader.js';
import { startRegistry, type TestRegistryOptions } from '../registry/testing.js';
import { builtInRecords } from '../records/index.js';

export async function startRecords(options: TestRegistryOptions = {}) {
  const test = await startRegistry(options);
  const { registry, scheme, cacher, store } = test;
  const parts = {
    scheme,
    store,
    reader: objectReader(scheme, cacher),
    clock: systemClock,
    random: seededRandom(1),
    as: registry.as.bind(registry),
    fresh: () => cacher.fresh(),
  };
  for (const record of builtInRecords(parts)) registry.register(record);
  return test;
}
