import { isMetricName } from '../api/v1alpha1/schema.ts';

/** A file that a trial made, as its result names it. */
export interface ReportedArtifact {
  readonly name: string;
  readonly uri: string;
  /** Lower-case hexadecimal SHA-256 of its bytes. */
  readonly sha256?: string;
  /** Bytes. */
  readonly size?: number;
  /** As of RFC 6838; known of files that the local engine tracks. */
  readonly mediaType?: string;
}

/** What a program reported in its result file. */
export interface ReportedResult {
  readonly metrics: ReadonlyMap<string, number>;
  readonly artifacts: readonly ReportedArtifact[];
  /** Any further JSON object that the program wants to keep. */
  readonly outputs: Readonly<Record<string, unknown>> | undefined;
}

export type ParsedResult =
  | { readonly ok: true; readonly result: ReportedResult }
  | { readonly ok: false; readonly problem: string };

/** Measured by the engine for every attempt, in seconds; a program may not report it. */
export const DURATION_METRIC = 'duration_seconds';

const METRICS_LIMIT = 256;
/** Larger numbers are measuring errors, and their squares and sums would not be finite. */
const METRIC_MAGNITUDE_LIMIT = 1e150;
const ARTIFACTS_LIMIT = 64;
/** Characters. A result file never had room for more. */
const ARTIFACT_TEXT_LIMIT = 4_096;
const DEPTH_LIMIT = 32;
const FIELDS = new Set(['metrics', 'artifacts', 'outputs']);

/**
 * Reads `{"metrics": {"p95_ms": 41.2}, "artifacts": […], "outputs": {…}}`. The text comes from a program that is not trusted:
 * whatever it holds gives a result or a problem that a person can read, and nothing is taken over that was not checked.
 * @param cutAtBytes where it was cut without a word if it was longer; undefined when it came as a whole
 */
export function parseResult(text: string, cutAtBytes?: number): ParsedResult {
  if (text.trim() === '') return problem('the program wrote no result to $BATCHTEST_RESULT_FILE');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return problem(
      `the result is not valid JSON (${error instanceof Error ? error.message : 'unreadable'})${hintAtLimit(text, cutAtBytes)}`,
    );
  }
  if (!isObject(value)) return problem(`the result must be a JSON object, not ${describe(value)}`);
  const unknown = Object.keys(value).find((key) => !FIELDS.has(key));
  if (unknown !== undefined)
    return problem(
      `the result has the unknown field ${quote(unknown)}; it may have metrics, artifacts and outputs`,
    );
  const metrics = parseMetrics(value.metrics);
  if (typeof metrics === 'string') return problem(metrics);
  const artifacts = parseArtifacts(value.artifacts);
  if (typeof artifacts === 'string') return problem(artifacts);
  const outputs = value.outputs;
  if (outputs !== undefined && !isObject(outputs))
    return problem(`outputs must be a JSON object, not ${describe(outputs)}`);
  if (depthExceeds(outputs, DEPTH_LIMIT))
    return problem(`outputs is nested more than ${DEPTH_LIMIT} levels deep`);
  return { ok: true, result: { metrics, artifacts, outputs } };
}

function parseMetrics(value: unknown): ReadonlyMap<string, number> | string {
  if (value === undefined) return new Map();
  if (!isObject(value)) return `metrics must be a JSON object of numbers, not ${describe(value)}`;
  const entries = Object.entries(value);
  if (entries.length > METRICS_LIMIT)
    return `metrics has ${entries.length} entries; the limit is ${METRICS_LIMIT}`;
  const metrics = new Map<string, number>();
  for (const [name, number] of entries) {
    if (!isMetricName(name))
      return `metric name ${quote(name)} must begin with a letter and hold only letters, digits and _ . : / % -`;
    if (name === DURATION_METRIC)
      return `metric ${DURATION_METRIC} is measured by BatchTest and may not be reported`;
    if (typeof number !== 'number') return `metric ${quote(name)} must be a number, not ${describe(number)}`;
    // 1e999 is valid JSON and parses to Infinity.
    if (!Number.isFinite(number)) return `metric ${quote(name)} is not a finite number`;
    if (Math.abs(number) > METRIC_MAGNITUDE_LIMIT)
      return `metric ${quote(name)} must be between -1e150 and 1e150`;
    metrics.set(name, number);
  }
  return metrics;
}

function parseArtifacts(value: unknown): readonly ReportedArtifact[] | string {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return `artifacts must be a list, not ${describe(value)}`;
  if (value.length > ARTIFACTS_LIMIT)
    return `artifacts has ${value.length} entries; the limit is ${ARTIFACTS_LIMIT}`;
  const artifacts: ReportedArtifact[] = [];
  for (const [index, item] of value.entries()) {
    const artifact = parseArtifact(item);
    if (artifact === undefined)
      return `artifacts[${index}] must be {"name", "uri"} with an optional "sha256" (64 hexadecimal digits) and "size" (bytes)`;
    if (artifacts.some(({ name }) => name === artifact.name))
      return `artifacts names ${quote(artifact.name)} twice`;
    artifacts.push(artifact);
  }
  return artifacts;
}

function parseArtifact(item: unknown): ReportedArtifact | undefined {
  if (!isObject(item)) return undefined;
  const { name, uri, sha256, size } = item;
  if (typeof name !== 'string' || name === '' || typeof uri !== 'string' || uri === '') return undefined;
  if (name.length > ARTIFACT_TEXT_LIMIT || uri.length > ARTIFACT_TEXT_LIMIT) return undefined;
  if (sha256 !== undefined && !(typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)))
    return undefined;
  if (size !== undefined && !(typeof size === 'number' && Number.isSafeInteger(size) && size >= 0))
    return undefined;
  return { name, uri, ...(sha256 === undefined ? {} : { sha256 }), ...(size === undefined ? {} : { size }) };
}

function depthExceeds(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => depthExceeds(member, levels - 1));
}

const problem = (text: string): ParsedResult => ({ ok: false, problem: text });

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const describe = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'a list'
      : typeof value === 'object'
        ? 'an object'
        : `a ${typeof value}`;

const quote = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);

/** A kubelet cuts a termination message at its limit without a word; then broken JSON is most likely cut JSON. */
const hintAtLimit = (text: string, limitBytes = Number.POSITIVE_INFINITY): string =>
  Buffer.byteLength(text) >= limitBytes
    ? `; it reaches the limit of ${limitBytes} bytes and was probably cut off there`
    : '';
