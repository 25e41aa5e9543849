import type { RunLedger } from '../core/run-ledger.ts';
import type { Explanation } from '../core/status.ts';
import type { InvariantWatch } from './invariant-watch.ts';
import type { Postponement } from './postponement.ts';
import type { EndWish } from './run-controls.ts';
import type { RunPace } from './run-pace.ts';
import type { VerificationWatch } from './verification-watch.ts';
import type { WorkUnderWay } from './work-under-way.ts';

/** A run that the controller has opened: its ledger, and what there is to say about it. */
export interface ActiveRun {
  readonly uid: string;
  readonly ledger: RunLedger;
  readonly watch: InvariantWatch;
  readonly pace: RunPace;
  /** What was asked of the engine and of the store, and a status. */
  readonly work: WorkUnderWay;
  readonly verification: VerificationWatch;
  /** Must accompany every write to the result store. */
  readonly fence: number;
  /** Since when the run may run (milliseconds since the epoch); undefined while it is suspended. */
  activeSince: number | undefined;
  /** What is wanted of attempts that go on; undefined before anything was. */
  endWish: EndWish | undefined;
  /** Why trials that are due do not start. */
  waiting: Explanation | undefined;
  /** That the engine could not start an attempt for now, or only some; undefined when all that are due may be asked for. */
  postponement: Postponement | undefined;
  /** Why results cannot be stored. */
  storeProblem: Explanation | undefined;
}
