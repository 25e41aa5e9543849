import { printable } from './printable.ts';
import { type ReportedVerification, verificationTexts } from './run-verification.ts';
import type { TextStyle } from './text-style.ts';
import { cutMiddle } from './text-width.ts';
import { wrappedText } from './wrapped-text.ts';

const SHOWN_PROBLEMS = 10;
const LONGEST_NAME = 40;
const LINES_OF_A_PROBLEM = 3;
const INDENT = '  ';

/** What reading artifacts and results back came to, and which artifacts are not verified. The place of a file is never cut. */
export function verificationLines(
  verification: ReportedVerification,
  width: number,
  style: TextStyle,
  all: boolean,
): readonly string[] {
  const { problems, artifacts } = verification;
  const shown = all ? problems : problems.slice(0, SHOWN_PROBLEMS);
  const more = artifacts.mismatched + artifacts.missing - shown.length;
  return [
    ...verificationTexts(verification).map(
      ({ isFine, text }) => `${isFine ? style.green('✔') : style.red('✘')} ${text}`,
    ),
    ...shown.flatMap(({ variant, repetition, name, state, reason, uri }) => {
      const which = `${cutMiddle(printable(variant), LONGEST_NAME)} repetition ${repetition}: ${cutMiddle(printable(name), LONGEST_NAME)}`;
      const why = `${state}: ${printable(reason)}`;
      return [
        ...wrappedText(`${which}: ${why}`, width - INDENT.length, LINES_OF_A_PROBLEM).map(
          (line) => INDENT + line,
        ),
        INDENT + INDENT + style.dim(printable(uri)),
      ];
    }),
    ...(more > 0 ? [style.dim(`${INDENT}… and ${more} more (the result store has them)`)] : []),
  ];
}
