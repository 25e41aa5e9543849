/** Environment variables; a process's own unless a test passes others. */
type Environment = Readonly<Record<string, string | undefined>>;

/** What of an output stream decides how text is laid out on it. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface Terminal {
  /** True when lines may be drawn over: a person's terminal, not a file, a pipe or the log of a build. */
  readonly interactive: boolean;
  readonly columns: number;
  readonly colour: boolean;
}

/** Where nothing tells a width: wide enough for a report, narrow enough for the log of a build. */
const COLUMNS_WITHOUT_TERMINAL = 120;
const COLUMNS_OF_UNKNOWN_TERMINAL = 80;
const FEWEST_COLUMNS = 40;

/**
 * How to write to a stream. Colours need a terminal that is not `dumb`, and `NO_COLOR` (https://no-color.org) turns them off when it is
 * set to anything but the empty string. `COLUMNS` gives the width where the stream does not know one. Ask again after a resize.
 */
export function terminalOf(stream: OutputStream, environment: Environment): Terminal {
  const isTerminal = stream.isTTY === true && environment.TERM !== 'dumb';
  return {
    interactive: isTerminal && !isSet(environment.CI),
    columns: Math.max(FEWEST_COLUMNS, columnsOf(stream, environment)),
    colour: isTerminal && !isSet(environment.NO_COLOR),
  };
}

function columnsOf(stream: OutputStream, environment: Environment): number {
  if (stream.columns !== undefined && stream.columns > 0) return stream.columns;
  const fromEnvironment = Number(environment.COLUMNS);
  if (Number.isSafeInteger(fromEnvironment) && fromEnvironment > 0) return fromEnvironment;
  return stream.isTTY === true ? COLUMNS_OF_UNKNOWN_TERMINAL : COLUMNS_WITHOUT_TERMINAL;
}

const isSet = (value: string | undefined): boolean => value !== undefined && value !== '';
