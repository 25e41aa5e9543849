import { InvalidArgumentError } from 'commander';
import { MAX_RESULT_LIMIT_BYTES, MIN_RESULT_LIMIT_BYTES } from '../ingest/result-limit.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, Ki: 1_024, Mi: 1_024 * 1_024 };

/** The value of --result-limit: bytes, or a number and Ki or Mi, such as 4Mi. */
export function resultLimit(text: string): number {
  const [, number, unit = ''] = /^(\d{1,9})(Ki|Mi)?$/.exec(text) ?? [];
  const bytes = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (!(bytes >= MIN_RESULT_LIMIT_BYTES && bytes <= MAX_RESULT_LIMIT_BYTES))
    throw new InvalidArgumentError('It must be a size from 4Ki to 16Mi: bytes, or a number and Ki or Mi.');
  return bytes;
}
