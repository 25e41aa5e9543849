import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import { isLineDue, type LastLine, startProgressDisplay } from './progress-display.ts';

const START = '2026-11-24T10:00:00Z';

const aStatus = (done: number, reason = 'Running'): BatchTestStatus => ({
  startTime: START,
  trials: { total: 20, pending: 18 - done, running: 2, succeeded: done, failed: 0, cancelled: 0 },
  conditions: [{ type: 'Progressing', status: 'True', reason, message: '', lastTransitionTime: START }],
});

const COMPLETE: BatchTestStatus = {
  ...aStatus(20),
  trials: { total: 20, pending: 0, running: 0, succeeded: 20, failed: 0, cancelled: 0 },
  completionTime: '2026-11-24T10:00:20Z',
  conditions: [
    {
      type: 'Complete',
      status: 'True',
      reason: 'AllTrialsSucceeded',
      message: '',
      lastTransitionTime: START,
    },
  ],
};

/** A stream that keeps what is written, as a terminal or as a file. */
class Screen extends Writable {
  readonly isTTY: boolean;
  readonly columns = 80;
  text = '';

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** A display on a clock that the test sets, in seconds after the start of the run. */
function aDisplay({ isTTY, summary = true }: { readonly isTTY: boolean; readonly summary?: boolean }) {
  const stream = new Screen(isTTY);
  const clock = { seconds: 0 };
  const display = startProgressDisplay({
    name: 'checkout-cache',
    stream,
    environment: {},
    now: () => Date.parse(START) + clock.seconds * 1_000,
    summary,
  });
  const at = (seconds: number, status: BatchTestStatus) => {
    clock.seconds = seconds;
    display.update(status);
  };
  return { display, stream, at };
}

describe('progress in a file or a log', () => {
  it('is a line at the start, at every tenth, when the run begins to wait, every ten seconds, and at the end', () => {
    const { display, stream, at } = aDisplay({ isTTY: false });
    at(0, aStatus(0));
    at(1, aStatus(1));
    at(2, aStatus(2));
    at(3, aStatus(2));
    at(4, aStatus(2, 'Paused'));
    at(13, aStatus(3, 'Paused'));
    at(14, aStatus(3, 'Paused'));
    at(20, COMPLETE);
    display.stop();
    display.stop();
    expect(stream.text.trimEnd().split('\n')).toEqual([
      'checkout-cache: 0 of 20 trials done (0 %), 2 running',
      'checkout-cache: 2 of 20 trials done (10 %), 2 running, 1.0 trials/s, about 18 s left',
      'checkout-cache: 2 of 20 trials done (10 %), 2 running, 30.0 trials/min, Paused',
      'checkout-cache: 3 of 20 trials done (15 %), 2 running, 12.9 trials/min, Paused',
      'checkout-cache: 20 of 20 trials done (100 %), 0 running, 1.0 trials/s',
      '✔ checkout-cache: Complete, 20 of 20 trials succeeded in 20 s',
    ]);
  });

  it('leaves the end to the report that follows when asked to', () => {
    const { display, stream, at } = aDisplay({ isTTY: false, summary: false });
    at(0, aStatus(0));
    display.stop();
    expect(stream.text).toBe('checkout-cache: 0 of 20 trials done (0 %), 2 running\n');
  });

  it('is at most a line a second, however fast trials end', () => {
    const last: LastLine = { at: 0, step: 0, waiting: undefined };
    const snapshot = { name: 'x', status: aStatus(10), watchedSince: 0, trialsPerSecond: undefined };
    expect(isLineDue({ ...snapshot, now: 999 }, last)).toBe(false);
    expect(isLineDue({ ...snapshot, now: 1_000 }, last)).toBe(true);
  });
});

describe('progress on a terminal', () => {
  it('is one block that is gone at the end, with lines that stay above it', () => {
    const { display, stream, at } = aDisplay({ isTTY: true });
    at(0, aStatus(0));
    display.print('a line that stays');
    at(20, COMPLETE);
    display.stop();
    const lines = stripVTControlCharacters(stream.text).split('\n');
    expect(lines[0]).toMatch(/^checkout-cache {2}━+ {2} 0\/20 {4}0 %$/);
    expect(shownBy(stream.text)).toEqual([
      'a line that stays',
      '✔ checkout-cache: Complete, 20 of 20 trials succeeded in 20 s',
    ]);
  });

  it('draws nothing after it was stopped', () => {
    const { display, stream, at } = aDisplay({ isTTY: true, summary: false });
    at(0, aStatus(0));
    display.stop();
    const before = stream.text;
    at(5, aStatus(5));
    expect(stream.text).toBe(before);
    expect(shownBy(stream.text)).toEqual([]);
  });
});

/** The lines that a terminal shows in the end; knows the sequences that the display uses. */
function shownBy(text: string): readonly string[] {
  const lines = [''];
  let row = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are what is read
  for (const [token] of text.matchAll(/\x1b\[[?\d;]*[A-Za-z]|\n|[^\x1b\n]+/g)) {
    if (token === '\n') {
      row += 1;
      lines[row] ??= '';
    } else if (token === '\x1b[1A') row -= 1;
    else if (token === '\x1b[2K') lines[row] = '';
    else if (!token.startsWith('\x1b')) lines[row] += token;
  }
  return lines.filter((line) => line !== '');
}
