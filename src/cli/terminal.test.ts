import { describe, expect, it } from 'vitest';
import { terminalOf } from './terminal.ts';

const TERMINAL = { isTTY: true, columns: 132 };

describe('how to write to a stream', () => {
  it('draws and colours on a terminal, as wide as it is', () => {
    expect(terminalOf(TERMINAL, { TERM: 'xterm-256color' })).toEqual({
      interactive: true,
      columns: 132,
      colour: true,
    });
  });

  it('writes plain lines to a file or a pipe', () => {
    expect(terminalOf({}, {})).toEqual({ interactive: false, columns: 120, colour: false });
  });

  it.each([
    ['NO_COLOR turns colours off', { NO_COLOR: '1' }, { interactive: true, colour: false }],
    ['an empty NO_COLOR is not set', { NO_COLOR: '' }, { interactive: true, colour: true }],
    ['a dumb terminal understands neither', { TERM: 'dumb' }, { interactive: false, colour: false }],
    ['the log of a build is not drawn over', { CI: 'true' }, { interactive: false, colour: true }],
  ])('%s', (_, environment, expected) => {
    expect(terminalOf(TERMINAL, environment)).toMatchObject(expected);
  });

  it.each([
    [{ isTTY: true, columns: 132 }, { COLUMNS: '90' }, 132],
    [{ isTTY: true, columns: 0 }, { COLUMNS: '90' }, 90],
    [{ isTTY: true, columns: 0 }, {}, 80],
    [{}, { COLUMNS: '200' }, 200],
    [{}, { COLUMNS: 'wide' }, 120],
    [{ isTTY: true, columns: 5 }, {}, 40],
  ])('takes the width of %j with %j to be %i', (stream, environment, columns) => {
    expect(terminalOf(stream, environment).columns).toBe(columns);
  });
});
