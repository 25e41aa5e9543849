import { counted } from '../report/counted.ts';
import { markdownCode } from '../report/markdown-text.ts';
import { type DryRun, differingFields } from './dry-run.ts';
import { mattering } from './dry-run-table.ts';
import { isAlike } from './field-parity.ts';

const WIDTH = 120;
const LONG = 600;

/** A dry run as GitHub's Markdown. Names and what a server says cannot format anything or notify anybody. */
export function dryRunMarkdown(run: DryRun): string {
  const rows = differingFields(run).map(({ field, local, kubernetes, note, matters }) =>
    [matters ? '**!**' : '', code(field), local, kubernetes, code(note ?? '', LONG)].join(' | '),
  );
  const table = [' | field | local | cluster | ', '--- | --- | --- | --- | ---', ...rows]
    .map((row) => `| ${row} |`)
    .join('\n');
  const blocks = [
    `### ${code(run.name)}: ${run.verdict === 'Same' ? 'both engines would run the same' : `${counted(mattering(run), 'difference')} between the engines`}`,
    ...(rows.length === 0 ? [] : [table]),
    ...run.program.map(
      ({ text, matters, variant, variants }) =>
        `- ${matters ? '**!** ' : ''}${code(text, LONG)} (variant ${code(variant)}${variants === 1 ? '' : ` and ${counted(variants - 1, 'other')}`})`,
    ),
    `Honoured alike: ${run.fields
      .filter(isAlike)
      .map(({ field }) => code(field))
      .join(', ')}`,
    serverText(run),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function serverText({ server }: DryRun): string {
  if (server === null) return '';
  if (server.kind === 'NoCluster') return `No API server was asked: ${code(server.message, LONG)}`;
  return server.objects
    .map(
      ({ kind, outcome, message }) =>
        `- ${kind}: ${outcome}${message === null ? '' : ` ${code(message, LONG)}`}`,
    )
    .join('\n');
}

const code = (text: string, width = WIDTH): string => (text === '' ? '' : markdownCode(text, width));
