import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules', 'dist', 'e2e/**', '**/*.e2e.test.ts'],
    pool: 'forks',
    globalSetup: ['testing/run-folder.ts'],
    // A limit for what hangs, not for what is slow: a machine with a load of twenty takes ten times as long.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
