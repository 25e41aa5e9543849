import { join } from 'node:path';
import { API_VERSION, KIND, PLURAL } from '../../../src/api/v1alpha1/constants.ts';
import type { BatchTestManifest } from '../../../src/api/v1alpha1/schema.ts';
import { kubeconfigWithRights } from '../../integration/operator-rights.ts';
import { databaseUrlOf, query } from '../../integration/postgres-server.ts';
import { startOperator } from '../../integration/running-operator.ts';
import { conditionOf } from '../../integration/watch-recorder.ts';
import { type Contender, deadlineMs, podTemplate, type Site } from './contender.ts';
import type { Scenario } from './scenario.ts';

const VARIANTS = 10;

/**
 * The operator with the rights that it needs, and a database of its own.
 * @param program what Node is given to run
 */
export const operatorContender = (program: readonly string[]): Contender => ({
  name: 'operator',
  async prepare(site) {
    const { scenario, cluster, namespace, witness, directory } = site;
    const connection = await site.postgres.createDatabase();
    const operator = await startOperator({
      kubeconfigPath: await kubeconfigWithRights(cluster, namespace, 'contender', directory, [
        'watching',
        'leading',
      ]),
      namespace,
      databaseUrl: databaseUrlOf(connection),
      program,
      options: ['--log-level', 'info'],
      logFile: join(directory, `${namespace}.log`),
    });
    const collection = `/apis/${API_VERSION}/namespaces/${namespace}/${PLURAL}`;
    try {
      await operator.untilReady();
    } catch (error) {
      await operator.kill();
      throw error;
    }
    return {
      pid: operator.pid,
      async begin() {
        await cluster.request('POST', collection, manifestOf(scenario));
      },
      async cancel() {
        await cluster.request('PATCH', `${collection}/bench`, { spec: { cancel: true } });
      },
      async finish() {
        const end = scenario.isCancelled === true ? 'Cancelled' : 'Complete';
        await witness.until(`the BatchTest is ${end}`, () => isOver(site, end), deadlineMs(scenario));
        if (scenario.isCancelled === true) return;
        const [row] = await query<{ readonly succeeded: number }>(
          connection,
          'select succeeded::int from batchtest.run_summary',
        );
        if (row?.succeeded !== scenario.trials)
          throw new Error(`${row?.succeeded ?? 0} of ${scenario.trials} results are stored`);
      },
      async ownFigures() {
        const [row] = await query<{ readonly count: string }>(
          connection,
          'select xact_commit as count from pg_stat_database where datname = current_database()',
        );
        return { statusBytes: largestStatus(site), transactions: Number(row?.count) };
      },
      account: () => operator.logTail(),
      end: () => operator.kill(),
    };
  },
});

function isOver({ witness }: Site, condition: string): true | undefined {
  const last = witness.changes().findLast(({ kind }) => kind === 'BatchTest');
  return last?.kind === 'BatchTest' && conditionOf(last.object, condition)?.status === 'True'
    ? true
    : undefined;
}

const largestStatus = ({ witness }: Site): number =>
  Math.max(
    0,
    ...witness
      .changes()
      .map((change) =>
        change.kind === 'BatchTest' ? Buffer.byteLength(JSON.stringify(change.object.status ?? {})) : 0,
      ),
  );

const manifestOf = (scenario: Scenario): BatchTestManifest => ({
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: { name: 'bench' },
  spec: {
    parallelism: scenario.parallelism,
    repetitions: scenario.trials / VARIANTS,
    variants: Array.from({ length: VARIANTS }, (_, index) => ({
      name: `v${index}`,
      parameters: { V: String(index) },
    })),
    objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
    template: podTemplate(scenario),
  },
});
