import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from './markdown-page.ts';

/** What the image of the operator is made of, and how it starts. */
export interface OperatorImage {
  /** The major version of the Node that it has. */
  readonly nodeMajor: number;
  /** Its whole ENTRYPOINT. */
  readonly command: readonly string[];
  /** What Node is told in it, before the program. */
  readonly nodeOptions: readonly string[];
  /** What is in the environment of its processes. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Reads the Dockerfile, the one place that says it. */
export async function readOperatorImage(): Promise<OperatorImage> {
  const dockerfile = await readFile(join(REPOSITORY, 'Dockerfile'), 'utf8');
  const found = (pattern: RegExp): string => {
    const [, group] = pattern.exec(dockerfile) ?? [];
    if (group === undefined) throw new Error(`the Dockerfile has no ${pattern}`);
    return group;
  };
  const command: readonly string[] = JSON.parse(found(/^ENTRYPOINT (.*)$/m));
  return {
    nodeMajor: Number(found(/^ARG RUNTIME_IMAGE=.*\/nodejs(\d+)-/m)),
    command,
    nodeOptions: command.slice(1, -1),
    environment: Object.fromEntries(
      found(/^ENV (.*)$/m)
        .split(' ')
        .map((variable) => variable.split('=')),
    ),
  };
}
