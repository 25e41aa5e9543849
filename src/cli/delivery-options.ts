import type { Command } from 'commander';
import type { DeliveryConfig } from '../outbox/delivery-config.ts';
import type { Environment } from '../runner/presets.ts';

/** The flags of commands whose process handles the outbox. */
export interface DeliveryFlags {
  readonly notifyUrl?: readonly string[];
  readonly notifyTokenFile?: string;
  readonly artifactStore?: readonly string[];
}

const several = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];

/** The options that say who is notified and where artifacts are read back from. */
export const deliveryOptions = (command: Command): Command =>
  command
    .option(
      '--notify-url <url>',
      'post a CloudEvent here when a run is over, and when a gate failed; may be repeated (also: BATCHTEST_NOTIFY_URLS)',
      several,
    )
    .option('--notify-token-file <file>', 'a file with a bearer token for them')
    .option(
      '--artifact-store <store>',
      'where artifacts may be read back from, as s3://BUCKET/PREFIX; may be repeated',
      several,
    );

/** What the flags and the environment say. A URL in the environment is not seen in the list of processes. */
export function deliveryConfig(flags: DeliveryFlags, { BATCHTEST_NOTIFY_URLS }: Environment): DeliveryConfig {
  const fromEnvironment = (BATCHTEST_NOTIFY_URLS ?? '').split(/\s+/).filter((url) => url !== '');
  return {
    notifyUrls: [...(flags.notifyUrl ?? []), ...fromEnvironment],
    notifyTokenFile: flags.notifyTokenFile,
    artifactStores: flags.artifactStore ?? [],
  };
}
