import type { TestProject } from 'vitest/node';
import type { Connection } from '../integration/postgres-server.ts';
import { installOperator, OPERATOR_NAMESPACE } from './installed-operator.ts';
import { openTarget, type Target } from './target.ts';
import { whatTheClusterSays } from './what-the-cluster-says.ts';

declare module 'vitest' {
  interface ProvidedContext {
    target: Target;
    database: Connection;
  }
}

/** Vitest's globalSetup: one cluster per test run, with the operator in it. */
export default async function setUpTarget(project: TestProject): Promise<() => Promise<void>> {
  const { target, close } = await openTarget();
  try {
    const { connection, uninstall } = await installOperator(target);
    project.provide('target', target);
    project.provide('database', connection);
    return async () => {
      // Vitest sets it when a test failed, or a file of tests could not be loaded.
      if (process.exitCode)
        process.stderr.write(await whatTheClusterSays(target.kubeconfigPath, OPERATOR_NAMESPACE));
      await uninstall();
      await close();
    };
  } catch (error) {
    await close();
    throw error;
  }
}
