import { Command } from 'commander';
import { expandVariants } from '../../core/variants.ts';
import { counted } from '../../report/counted.ts';
import { loadManifest, withPlaces } from '../manifest-file.ts';
import type { ProcessContext } from '../process-context.ts';

export const validateCommand = (context: ProcessContext): Command =>
  new Command('validate')
    .description('check a manifest without running anything')
    .argument('<file>', 'manifest in YAML or JSON, or - for standard input')
    .action(async (file: string) => {
      const manifest = await loadManifest(file, context);
      const { batchTest } = manifest;
      const variants = await withPlaces(manifest, () => expandVariants(batchTest.spec).length);
      const { repetitions } = batchTest.spec;
      context.stdout.write(
        `${file === '-' ? 'stdin' : file}: valid: ${counted(variants, 'variant')} × ${counted(repetitions, 'repetition')} = ${counted(variants * repetitions, 'trial')}\n`,
      );
    });
