/**
 * A test program for BatchTest: how small and how fast does one compressor at one level make a real text?
 *
 * In:  the variant's parameters. ALGORITHM comes as an environment variable, the way every parameter does;
 *      LEVEL comes as `--level`, because the manifest puts `--level=$(LEVEL)` into the arguments.
 * Out: one JSON object in the file that BATCHTEST_RESULT_FILE names, and exit code 0.
 *      Anything that makes the numbers worthless is said on stderr, with another exit code and no result.
 *
 * One MB is 1,000,000 bytes of the original text, for compression and for decompression.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from 'node:zlib';

/** A level of `undefined` leaves the choice to Node, as a caller does who passes no options. */
const ALGORITHMS = {
  gzip: {
    highestLevel: 9,
    compress: (bytes, level) => gzipSync(bytes, { level }),
    decompress: (bytes) => gunzipSync(bytes),
  },
  deflate: {
    highestLevel: 9,
    compress: (bytes, level) => deflateSync(bytes, { level }),
    decompress: (bytes) => inflateSync(bytes),
  },
  brotli: {
    highestLevel: 11,
    compress: (bytes, level) =>
      brotliCompressSync(
        bytes,
        level === undefined ? {} : { params: { [constants.BROTLI_PARAM_QUALITY]: level } },
      ),
    decompress: (bytes) => brotliDecompressSync(bytes),
  },
};

const LEAST_PASSES = 3;
const LEAST_MEASURED_MS = 60;

/** A reason to report no result, in words for the person who wrote the manifest. */
class Refusal extends Error {}

function readAlgorithm(env) {
  const name = env.ALGORITHM ?? '';
  if (Object.hasOwn(ALGORITHMS, name)) return { name, ...ALGORITHMS[name] };
  const accepted = Object.keys(ALGORITHMS).join(', ');
  throw new Refusal(`environment variable ALGORITHM is "${name}"; expected one of: ${accepted}`);
}

function readLevel(args, algorithm) {
  const { values } = parseArgs({ args, options: { level: { type: 'string', default: '' } } });
  if (values.level === 'default') return undefined;
  if (/^\d{1,2}$/.test(values.level) && Number(values.level) <= algorithm.highestLevel)
    return Number(values.level);
  throw new Refusal(
    `--level is "${values.level}"; expected 0 to ${algorithm.highestLevel}, or default, for ${algorithm.name}`,
  );
}

function readResultFile(env) {
  if (env.BATCHTEST_RESULT_FILE) return env.BATCHTEST_RESULT_FILE;
  throw new Refusal(
    'environment variable BATCHTEST_RESULT_FILE is not set: batchtest sets it, and by hand it is any file to write',
  );
}

/** Median of several passes: one pass that the machine disturbed does not move it, as it would a mean. */
function medianMs(work) {
  const passes = [];
  const begun = performance.now();
  while (passes.length < LEAST_PASSES || performance.now() - begun < LEAST_MEASURED_MS) {
    const start = performance.now();
    work();
    passes.push(performance.now() - start);
  }
  passes.sort((a, b) => a - b);
  const middle = passes.length >> 1;
  return passes.length % 2 === 1 ? passes[middle] : (passes[middle - 1] + passes[middle]) / 2;
}

function measure(original, algorithm, level) {
  // Checked before anything is timed; it also warms up both directions.
  const compressed = algorithm.compress(original, level);
  const restored = algorithm.decompress(compressed);
  if (!restored.equals(original)) {
    throw new Refusal(
      `round trip failed: ${original.length} bytes became ${restored.length} other bytes with ${algorithm.name}`,
    );
  }

  const megabytes = original.length / 1e6;
  return {
    ratio: original.length / compressed.length,
    throughput_mb_s: megabytes / (medianMs(() => algorithm.compress(original, level)) / 1000),
    decompress_mb_s: megabytes / (medianMs(() => algorithm.decompress(compressed)) / 1000),
  };
}

try {
  const resultFile = readResultFile(process.env);
  const algorithm = readAlgorithm(process.env);
  const level = readLevel(process.argv.slice(2), algorithm);
  const original = readFileSync(new URL('opticks-book-one.txt', import.meta.url));
  writeFileSync(resultFile, JSON.stringify({ metrics: measure(original, algorithm, level) }));
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`compress.js: ${error.message}\n`);
  process.exitCode = 1;
}
