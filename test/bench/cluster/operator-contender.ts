import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { API_VERSION, PLURAL } from '../../../src/api/v1alpha1/constants.ts';
import type { BatchTestSpec } from '../../../src/api/v1alpha1/schema.ts';
import { grant } from '../../integration/operator-rights.ts';
import { type Connection, databaseUrlOf, query } from '../../integration/postgres-server.ts';
import { startOperator } from '../../integration/running-operator.ts';
import { type Change, conditionOf } from '../../integration/watch-recorder.ts';
import { batchManifest } from './batch-manifest.ts';
import { type Contender, deadlineMs, type Site, type TakenWork } from './contender.ts';
import type { Observation } from './figures.ts';
import { allTrials, batchNames, type Scenario } from './scenario.ts';

const ACCOUNT = 'contender';
const SERVICE_ACCOUNT_IMPORT = fileURLToPath(new URL('service-account.mjs', import.meta.url));

/**
 * The operator with the rights that it needs, the access that it has in a pod, and a database of its own.
 * @param program what Node is given to run
 * @param execution what carries its attempts
 * @param environment of its process, beside what every operator gets
 * @param build ends its name, where there is more than one
 */
export const operatorContender = (
  program: readonly string[],
  execution: BatchTestSpec['execution'],
  environment: Readonly<Record<string, string>> = {},
  build = '',
): Contender => ({
  name: `operator, ${execution}s${build}`,
  isOperator: true,
  async prepare(site) {
    const { cluster, namespace, witness, directory } = site;
    const connection = await site.postgres.createDatabase();
    const operator = await startOperator({
      namespace,
      databaseUrl: databaseUrlOf(connection),
      program: ['--import', SERVICE_ACCOUNT_IMPORT, ...program],
      environment: { ...environment, ...(await serviceAccount(site)) },
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
    const transactions = async () => {
      const [row] = await query<{ readonly count: string }>(
        connection,
        'select xact_commit as count from pg_stat_database where datname = current_database()',
      );
      return Number(row?.count);
    };
    const take = async (scenario: Scenario): Promise<TakenWork> => {
      const batches = batchNames(scenario);
      const transactionsBefore = await transactions();
      return {
        async begin() {
          for (const batch of batches)
            await cluster.request('POST', collection, batchManifest(scenario, batch, execution));
        },
        async cancel() {
          for (const batch of batches)
            await cluster.request('PATCH', `${collection}/${batch}`, { spec: { cancel: true } });
        },
        async finish() {
          const toldAt = await witness.until(
            'the BatchTests have reached their condition',
            (changes) => reachedAt(changes, scenario),
            deadlineMs(scenario),
          );
          if (scenario.isCancelled === true || scenario.isSuspended === true) return toldAt;
          const [row] = await query<{ readonly succeeded: number }>(
            connection,
            'select sum(succeeded)::int as succeeded from batchtest.run_summary where name = any($1)',
            [batches],
          );
          if (row?.succeeded !== allTrials(scenario))
            throw new Error(`${row?.succeeded ?? 0} of ${allTrials(scenario)} results are stored`);
          return toldAt;
        },
        ownFigures: async () => ({
          ...largest(witness.changes(), batches),
          transactions: (await transactions()) - transactionsBefore,
        }),
      };
    };
    return {
      pid: operator.pid,
      databasePid: await postmasterOf(connection),
      take,
      account: () => operator.logTail(),
      end: () => operator.kill(),
    };
  },
});

/** The server that all sessions of a database are processes of. */
async function postmasterOf(connection: Connection): Promise<number> {
  const [row] = await query<{ readonly directory: string }>(
    connection,
    `select current_setting('data_directory') as directory`,
  );
  return Number((await readFile(join(row?.directory ?? '', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

/** Gives an account the rights of an operator; what a process of it has in its environment. */
async function serviceAccount({ cluster, namespace, directory }: Site): Promise<Record<string, string>> {
  const files = join(directory, `${namespace}-account`);
  const token = await cluster.tokenOfServiceAccount(namespace, ACCOUNT);
  for (const right of ['watching', 'leading'] as const) await grant(cluster, namespace, ACCOUNT, right);
  await mkdir(files);
  await writeFile(join(files, 'token'), token, { mode: 0o600 });
  await writeFile(join(files, 'ca.crt'), cluster.certificateAuthority);
  await writeFile(join(files, 'namespace'), namespace);
  const { hostname, port } = new URL(cluster.url);
  return {
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
    SERVICE_ACCOUNT_FILES: files,
  };
}

/** When the last of the batches was seen to be over, or to be planned and suspended; undefined before that. */
function reachedAt(changes: readonly Change[], scenario: Scenario): number | undefined {
  const { isCancelled, isSuspended, trials } = scenario;
  const batches = batchNames(scenario);
  const wanted = isCancelled === true ? 'Cancelled' : isSuspended === true ? 'Suspended' : 'Complete';
  const reached = new Map<string, number>();
  for (const change of changes) {
    if (!isOfBatch(change, batches) || reached.has(change.object.metadata.name)) continue;
    const isSo = conditionOf(change.object, wanted)?.status === 'True';
    if (isSo && change.object.status?.trials?.total === trials)
      reached.set(change.object.metadata.name, change.at);
  }
  return reached.size === batches.length ? Math.max(...reached.values()) : undefined;
}

const isOfBatch = (
  change: Change,
  batches: readonly string[],
): change is Extract<Change, { kind: 'BatchTest' }> =>
  change.kind === 'BatchTest' && batches.includes(change.object.metadata.name);

/** Bytes of the largest status, and of the largest object with all that it had at the time. */
function largest(
  changes: readonly Change[],
  batches: readonly string[],
): Pick<Observation, 'statusBytes' | 'objectBytes'> {
  let statusBytes = 0;
  let objectBytes = 0;
  for (const change of changes) {
    if (!isOfBatch(change, batches)) continue;
    const { object } = change;
    objectBytes = Math.max(objectBytes, Buffer.byteLength(JSON.stringify(object)));
    statusBytes = Math.max(statusBytes, Buffer.byteLength(JSON.stringify(object.status ?? {})));
  }
  return { statusBytes, objectBytes };
}
