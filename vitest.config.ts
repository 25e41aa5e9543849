import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Most of the time a test of the operator waits for something: two at once are done in half the time, also on two cores.
    maxWorkers: 2,
    // For the last line of .ci/run.
    reporters: process.env.CI
      ? [
          'default',
          ['json', { outputFile: process.env.TEST_RESULTS ?? 'node_modules/.cache/test-results.json' }],
        ]
      : ['default'],
    projects: [
      {
        // Needs no cluster: pure code, real processes, the embedded Postgres.
        test: {
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'examples/**/*.test.ts',
            'scripts/**/*.test.ts',
            'test/unit/**/*.test.ts',
          ],
          globalSetup: ['test/tools/vitest-command-line.ts'],
          pool: 'forks',
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Needs a control plane, which the global setup starts (and builds, the first time).
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/tools/**/*.test.ts'],
          globalSetup: ['test/tools/vitest-command-line.ts', 'test/tools/vitest-control-plane.ts'],
          pool: 'forks',
          // After the unit tests: a control plane and a pool of workers are enough for two cores.
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        // What goes wrong between the operator, the cluster and Postgres: docs/reference/faults.md.
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: ['test/faults/**/*.long.test.ts'],
          globalSetup: ['test/tools/vitest-command-line.ts', 'test/tools/vitest-control-plane.ts'],
          pool: 'forks',
          sequence: { groupOrder: 2 },
          testTimeout: 90_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Those that take minutes: npm run test:faults.
        test: {
          name: 'faults-long',
          include: ['test/faults/**/*.long.test.ts'],
          globalSetup: ['test/tools/vitest-command-line.ts', 'test/tools/vitest-control-plane.ts'],
          pool: 'forks',
          sequence: { groupOrder: 3 },
          testTimeout: 90_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Argo Workflows and Kueue as they compete in bench:cluster, Ray as in bench:local: npm run test:peers.
        test: {
          name: 'peers',
          include: ['test/peers/**/*.test.ts'],
          pool: 'forks',
          sequence: { groupOrder: 5 },
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Real pods: npm run test:e2e. The global setup starts a cluster and installs the operator into it.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/tools/vitest-command-line.ts', 'test/e2e/vitest-target.ts'],
          pool: 'forks',
          sequence: { groupOrder: 4 },
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
