import { defineConfig } from 'vitest/config';

// Scenarios share the machine's namespaces, ports and time: one file after the other.
export default defineConfig({
  test: {
    include: ['**/*.e2e.test.ts'],
    exclude: ['node_modules', 'dist'],
    pool: 'forks',
    globalSetup: ['testing/run-folder.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 300_000,
    passWithNoTests: true,
  },
});
