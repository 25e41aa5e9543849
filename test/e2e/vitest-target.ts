import type { TestProject } from 'vitest/node';
import type { Connection } from '../integration/postgres-server.ts';
import { installOperator } from './installed-operator.ts';
import { openTarget, type Target } from './target.ts';

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
      await uninstall();
      await close();
    };
  } catch (error) {
    await close();
    throw error;
  }
}
