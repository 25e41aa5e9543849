import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from './markdown-page.ts';
import type { NodeMajor } from './node-release.ts';

/** The release of Node that the bases of the Dockerfile name. */
export const IMAGE_NODE: NodeMajor = '24';

/** How the image of the operator starts it. */
export interface ImageEntrypoint {
  /** The whole of it. */
  readonly command: readonly string[];
  /** What Node is told before the program. */
  readonly nodeOptions: readonly string[];
}

/** Reads the ENTRYPOINT of the Dockerfile, the one place that says it. */
export async function imageEntrypoint(): Promise<ImageEntrypoint> {
  const dockerfile = await readFile(join(REPOSITORY, 'Dockerfile'), 'utf8');
  const command: readonly string[] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '[]');
  if (command.length < 2) throw new Error('the Dockerfile has no ENTRYPOINT of a program for Node');
  return { command, nodeOptions: command.slice(1, -1) };
}
