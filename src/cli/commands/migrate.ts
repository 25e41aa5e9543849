import { Command } from 'commander';
import { resultStoreFrom } from '../../runner/presets.ts';
import { databaseConnection } from '../../runner/result-store.ts';
import { UsageError } from '../failure.ts';
import type { ProcessContext } from '../process-context.ts';

interface MigrateFlags {
  readonly grantWrite?: readonly string[];
  readonly grantRead?: readonly string[];
}

export const migrateCommand = (context: ProcessContext): Command =>
  new Command('migrate')
    .description(
      'bring the schema of the database that DATABASE_URL names up to date, and grant rights in it',
    )
    .option(
      '--grant-write <role...>',
      'roles of the database that store results, such as that of the operator',
    )
    .option('--grant-read <role...>', 'roles of the database that read results, such as that of Grafana')
    .action(async ({ grantWrite: write = [], grantRead: read = [] }: MigrateFlags) => {
      const both = write.filter((role) => read.includes(role));
      if (both.length > 0)
        throw new UsageError(
          `--grant-write gives the rights of --grant-read as well: name ${both.join(', ')} once`,
        );
      const config = resultStoreFrom(context.environment, () => '');
      if (config.kind === 'embedded')
        throw new UsageError(
          'DATABASE_URL, or the file that DATABASE_URL_FILE names, must hold the URL of the database',
        );
      // Loaded here, so that the help does not load a database client.
      const { migrateDatabase } = await import('../../results/postgres/migrate-database.ts');
      const applied = await migrateDatabase(await databaseConnection(config), { write, read });
      for (const name of applied) context.stdout.write(`applied ${name}\n`);
      if (applied.length === 0) context.stdout.write('the schema is up to date\n');
      for (const role of write) context.stdout.write(`${role} may read and write\n`);
      for (const role of read) context.stdout.write(`${role} may read\n`);
    });
