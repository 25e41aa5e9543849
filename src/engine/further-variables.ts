/** What a program is told beyond its trial, when its manifest asks for it. The same names in every engine. */
import { ProgramEnvironment } from '../api/v1alpha1/constants.ts';

/** Where a program sends its result, and by what it shows whose result it is. Paths are as the program sees them. */
export interface PushTarget {
  readonly url: string;
  /** Holds the token, which goes into the header Authorization: Bearer. */
  readonly tokenFile: string;
  /** Certificates (PEM) of the authorities that sign the server's; undefined when the program needs none. */
  readonly caFile: string | undefined;
}

/** Variables of `spec.results.push`. They are the program's alone: no other container of its pod has the token. */
export const pushVariables = ({
  url,
  tokenFile,
  caFile,
}: PushTarget): readonly (readonly [string, string])[] => [
  [ProgramEnvironment.resultUrl, url],
  [ProgramEnvironment.tokenFile, tokenFile],
  ...(caFile === undefined ? [] : [[ProgramEnvironment.resultCaFile, caFile] as const]),
];

/**
 * Variables of `spec.sharedData`: one with all paths as a JSON object by name, and one for each entry, which args can refer to by `$(NAME)`.
 * @param paths by name
 */
export const sharedDataVariables = (
  paths: ReadonlyMap<string, string>,
): readonly (readonly [string, string])[] =>
  paths.size === 0
    ? []
    : [
        [ProgramEnvironment.sharedData, JSON.stringify(Object.fromEntries(paths))],
        ...[...paths].map(([name, path]) => [sharedDataVariable(name), path] as const),
      ];

/** The variable of one entry. Names hold no underscore, so that no two entries have the same. */
export const sharedDataVariable = (name: string): string =>
  `${ProgramEnvironment.sharedData}_${name.toUpperCase().replaceAll('-', '_')}`;
