import type { Work } from './work.ts';

/** Somebody who runs the programs, in a process of its own that ends when they have. */
export interface Contender {
  readonly name: string;
  /** What of the results is stored durably at the end, in words. */
  readonly keeps: string;
  /** Makes sure that it can be run here. Rejects, with what is missing, when it cannot. */
  prepare(): Promise<void>;
  /** @param directory its own, and empty */
  launch(work: Work, directory: string): Launch;
  /** Software beside Node.js whose version matters. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly witness: ResultWitness;
}

/** Sees results arrive. */
export interface ResultWitness {
  /** A process that is not among the descendants of the one that was started, and belongs to it. */
  furtherProcess(): number | undefined;
  /** Called once, when the contender's process has ended. */
  seen(): Promise<SeenResults>;
}

export interface SeenResults {
  /** Milliseconds since the epoch. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
  /** How many of them are in a database, each by a commit of its own. */
  readonly committed: number;
}
