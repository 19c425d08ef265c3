import { defineConfig } from 'vitest/config';

// Scenarios share the machine's namespaces, ports and time: one file after the other.
// Known to fail now and then, each with a fault that is not found yet: a member that joins or is repaired may take longer than a
// minute to be promoted; an agent that starts while no member answers may not adopt in time. `make test-unsettled` runs them; they come
// back here with their fault.
const UNSETTLED = ['cli/server/members.e2e.test.ts', 'e2e/worker.e2e.test.ts'];
const onlyUnsettled = process.env['NAVARCH_UNSETTLED'] === '1';

export default defineConfig({
  test: {
    include: onlyUnsettled ? UNSETTLED : ['**/*.e2e.test.ts'],
    exclude: ['node_modules', 'dist', ...(onlyUnsettled ? [] : UNSETTLED)],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 300_000,
    passWithNoTests: true,
  },
});
