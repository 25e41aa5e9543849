/** Bytes that a pushed result may have, unless `--result-limit` says otherwise. */
export const DEFAULT_RESULT_LIMIT_BYTES = 1_024 * 1_024;
/** A result file holds as many. */
export const MIN_RESULT_LIMIT_BYTES = 4_096;
/** To read more at once would hold up everything else that the process does. */
export const MAX_RESULT_LIMIT_BYTES = 16 * 1_024 * 1_024;
