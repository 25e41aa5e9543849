import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failureExcerpt } from './failure-excerpt.ts';
import type { ReportedFailure } from './run-report.ts';
import { wrappedText } from './wrapped-text.ts';

const failure = (message: string, reason = 'NonZeroExitCode'): ReportedFailure => ({
  variant: 'v',
  repetition: 0,
  attempt: 1,
  outcome: 'TestFailed',
  reason,
  message,
  logs: null,
});

const PROGRESS = Array.from({ length: 40 }, (_, step) => `step ${step} of 400 took 0.0${step} seconds`).join(
  '\n',
);

const NODE = `exit code 1: ${PROGRESS}
node:fs:440
    return binding.readFileUtf8(path, stringToFlags(options.flag));
                   ^

Error: ENOENT: no such file or directory, open '/data/corpus.json'
    at Object.readFileSync (node:fs:440:20)
    at main (/app/bench.js:12:9) {
  errno: -2,
  code: 'ENOENT',
  syscall: 'open',
  path: '/data/corpus.json'
}

Node.js v20.20.2`;

const PYTHON = `exit code 1: ${PROGRESS}
Traceback (most recent call last):
  File "/app/pipeline.py", line 52, in <module>
    main()
  File "/app/pipeline.py", line 48, in main
    json.dump({"metrics": measure(train, seed)}, file)
                          ^^^^^^^^^^^^^^^^^^^^
  File "/app/pipeline.py", line 37, in measure
    model = MODELS[train](seed)
            ~~~~~~^^^^^^^
KeyError: 'svm'`;

describe('the excerpt of a failure', () => {
  it.each([60, 80, 120, 200])('shows the error of a Node program at %i columns', (width) => {
    const lines = failureExcerpt(failure(NODE), width - 4);
    expect(lines.length).toBeLessThanOrEqual(3);
    expect(lines.join(' ')).toContain(
      "exit code 1: … ↵ Error: ENOENT: no such file or directory, open '/data/corpus.json'",
    );
  });

  it.each([60, 80, 120, 200])('shows the error of a Python program at %i columns', (width) => {
    const lines = failureExcerpt(failure(PYTHON), width - 4);
    expect(lines.length).toBeLessThanOrEqual(3);
    expect(lines.join(' ')).toContain("KeyError: 'svm'");
  });

  it('leaves out the frames of a short traceback', () => {
    const short = PYTHON.replace(`${PROGRESS}\n`, '');
    expect(failureExcerpt(failure(short), 76)).toEqual(["exit code 1: KeyError: 'svm'"]);
  });

  it.each([
    'Error: no such file',
    'bench: error: unknown algorithm zip9',
    'fatal: not a git repository',
    'sqlite3.OperationalError: database is locked',
    'panic: runtime error: index out of range [5] with length 3',
    'Caused by: java.net.ConnectException: Connection refused',
    'Uncaught TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument must be of type string',
  ])('finds %j among much else', (line) => {
    const lines = failureExcerpt(failure(`exit code 2: ${PROGRESS}\n${line}\n${PROGRESS}`), 56);
    expect(lines.join(' ')).toContain(`exit code 2: … ↵ ${line} ↵ step 0`);
    expect(lines).toHaveLength(3);
    expect(lines[2]).toMatch(/…$/);
  });

  it('shows the last lines of a log that names no error', () => {
    expect(failureExcerpt(failure(`exit code 3: ${PROGRESS}\nout of cheese`), 60)).toEqual([
      'exit code 3: … ↵ step 36 of 400 took 0.036 seconds ↵ step 37',
      'of 400 took 0.037 seconds ↵ step 38 of 400 took 0.038',
      'seconds ↵ step 39 of 400 took 0.039 seconds ↵ out of cheese',
    ]);
  });

  it('shows as many of the last lines of such a log as fit', () => {
    const words = fc.constantFrom('a', 'bb', 'cdefgh', 'x'.repeat(17), '日本', 'e\u0301', '👩‍🚀');
    const lines = fc.array(words, { minLength: 1, maxLength: 3 }).map((line) => line.join(' '));
    const log = fc.array(lines, { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(log, fc.integer({ min: 20, max: 40 }), (shown, width) => {
        const excerpts = shown.map((_, from) => {
          const tail = [...(from > 0 ? ['…'] : []), ...shown.slice(from)].join(' ↵ ');
          return wrappedText(`exit code 1: ${tail}`, width, 3);
        });
        const isWhole = (excerpt: readonly string[]): boolean => excerpt.at(-1)?.endsWith('…') === false;
        expect(failureExcerpt(failure(`exit code 1: ${shown.join('\n')}`), width)).toEqual(
          excerpts.find(isWhole) ?? excerpts.at(-1),
        );
      }),
    );
  });

  it.each([
    ['digits', '1', '1 ↵ 1 ↵ 1'],
    ['ideographs', '日', '日 ↵ 日 ↵ 日'],
    ['emoji', '👩‍🚀', '👩‍🚀 ↵ 👩‍🚀 ↵ 👩‍🚀'],
  ])('is there at once for thousands of lines of %s', (_, line, end) => {
    const log = Array.from({ length: 2_000 }, () => line).join('\n');
    const lines = failureExcerpt(failure(`exit code 1: ${log}`), 76);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^exit code 1: … ↵ /);
    expect(lines[2]?.endsWith(end)).toBe(true);
  });

  it('cuts a line that is too long at its end', () => {
    const [first, , last] = failureExcerpt(failure(`exit code 1: Error: ${'x'.repeat(500)}`), 40);
    expect(first).toBe('exit code 1: Error:');
    expect(last).toBe(`${'x'.repeat(39)}…`);
  });

  it.each([
    ['exit code 137 (SIGKILL)', 'Signalled', ['exit code 137 (SIGKILL)']],
    ['exit code 1', 'NonZeroExitCode', ['exit code 1']],
    [
      'ran out of memory and was killed (exit code 137): loading',
      'OOMKilled',
      ['OOMKilled: ran out of memory and was killed (exit code 137): loading'],
    ],
    ['did not end within 600 s', 'DeadlineExceeded', ['DeadlineExceeded: did not end within 600 s']],
    ['', 'NodeLost', ['NodeLost']],
  ])('makes of %j for %s %j', (message, reason, lines) => {
    expect(failureExcerpt(failure(message, reason), 76)).toEqual(lines);
  });
});
