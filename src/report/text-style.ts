import { styleText } from 'node:util';

type Format = Extract<Parameters<typeof styleText>[0], string>;
type Style = (text: string) => string;

/** Colours and weights of terminal text. */
export type TextStyle = Readonly<Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', Style>>;

/** Styles that colour, or that leave text as it is. Who shows the text decides which. */
export function textStyle(colour: boolean): TextStyle {
  const style = (format: Format): Style =>
    // Without this option newer Nodes look at stdout and the environment themselves.
    colour ? (text) => styleText(format, text, { validateStream: false }) : (text) => text;
  return {
    bold: style('bold'),
    dim: style('dim'),
    red: style('red'),
    green: style('green'),
    yellow: style('yellow'),
    cyan: style('cyan'),
  };
}
