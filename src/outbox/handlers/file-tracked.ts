import * as z from 'zod';
import type { ArtifactStore } from '../../artifacts/artifact-store.ts';
import { type Verdict, verdictOn } from '../../artifacts/artifact-verdict.ts';
import type { Message } from '../../results/outbox.ts';
import type { ArtifactToVerify, Verification, VerificationState } from '../../results/verification.ts';
import {
  DELIVERED,
  eachByItself,
  type Handled,
  type MessageHandler,
  notUnderstood,
} from '../message-handler.ts';

const payloadSchema = z.object({
  variantId: z.string(),
  repetition: z.int(),
  attempt: z.int(),
  position: z.int(),
});

export interface FileTrackedContext {
  readonly verification: Pick<Verification, 'artifacts' | 'noteArtifacts'>;
  /** The first one that holds a URI reads it. */
  readonly stores: readonly ArtifactStore[];
  /** True for a run that may have had stores which are not among these. */
  readonly mayBeInOthers: (runUid: string) => boolean;
  readonly onVerdict: (state: Exclude<VerificationState, 'Pending'>, artifact: ArtifactToVerify) => void;
}

const IN_NO_STORE_HERE: Verdict = {
  kind: 'Unread',
  reason: 'in no artifact store of the local run that looked for it',
  mayComeRight: true,
};

/** Reads artifacts back and compares them with what their results tell. */
export function fileTracked({
  verification,
  stores,
  mayBeInOthers,
  onVerdict,
}: FileTrackedContext): MessageHandler {
  const verify = async (message: Message, signal: AbortSignal): Promise<Handled> => {
    const payload = payloadSchema.safeParse(message.payload);
    if (!payload.success) return notUnderstood(message);
    const reference = { runUid: message.runUid, ...payload.data };
    const [artifact] = await verification.artifacts([reference]);
    // Deleted with its run.
    if (artifact === undefined) return DELIVERED;
    const isElsewhere = mayBeInOthers(message.runUid) && !stores.some((store) => store.holds(artifact.uri));
    const verdict = isElsewhere ? IN_NO_STORE_HERE : await verdictOn(artifact, stores, signal);
    const { reason } = verdict;
    if (verdict.kind === 'Read') {
      await verification.noteArtifacts([{ ...reference, state: verdict.state, reason }]);
      onVerdict(verdict.state, artifact);
      return DELIVERED;
    }
    await verification.noteArtifacts([{ ...reference, state: 'Pending', reason }]);
    // There is nothing that anybody could mend: the artifact says why it is not read.
    if (!verdict.mayComeRight) return DELIVERED;
    // It is logged, and the name is the program's own word.
    return { kind: 'Failed', error: `artifact at position ${reference.position}: ${reason}` };
  };
  return {
    kind: 'FileTracked',
    // A file may take half an hour to be read.
    batch: 1,
    atOnce: 8,
    claims: 'Together',
    deadlineMs: 30 * 60_000,
    handle: (messages, signal) => eachByItself(messages, (message) => verify(message, signal)),
  };
}
