import * as z from 'zod';
import type { Message } from '../../results/outbox.ts';
import type {
  AttemptReference,
  ResultToVerify,
  ResultVerdict,
  Verification,
} from '../../results/verification.ts';
import { DELIVERED, eachByItself, type MessageHandler, notUnderstood } from '../message-handler.ts';

const payloadSchema = z.object({ variantId: z.string(), repetition: z.int(), attempt: z.int() });

export interface ResultStoredContext {
  readonly verification: Pick<Verification, 'results' | 'noteResults'>;
  /** True when the run is still stored: its results go with it. */
  readonly isStored: (runUid: string) => Promise<boolean>;
  readonly onVerdict: (state: 'Verified' | 'Mismatch' | 'Missing', result: AttemptReference) => void;
}

/** Reads results back and compares their digest with the one that was made before they were stored. */
export function resultStored({ verification, isStored, onVerdict }: ResultStoredContext): MessageHandler {
  return {
    kind: 'ResultStored',
    batch: 256,
    atOnce: 1,
    claims: 'Together',
    deadlineMs: 60_000,
    async handle(messages) {
      const references = messages.map(referenceOf);
      const found = await verification.results(references.filter((reference) => reference !== undefined));
      const verdicts = found.flatMap(verdictsOn);
      await verification.noteResults(verdicts);
      for (const { state, ...result } of verdicts) onVerdict(state, result);
      const there = new Set(found.map(keyOf));
      return eachByItself(messages, async (message) => {
        const reference = referenceOf(message);
        if (reference === undefined) return notUnderstood(message);
        // Deleted with its run.
        if (there.has(keyOf(reference)) || !(await isStored(message.runUid))) return DELIVERED;
        onVerdict('Missing', reference);
        const { variantId, repetition, attempt } = reference;
        const error = `attempt ${attempt} of trial ${variantId}/${repetition} was stored and is not there`;
        return { kind: 'Refused', error };
      });
    },
  };
}

function verdictsOn({ digest, storedDigests, ...result }: ResultToVerify): readonly ResultVerdict[] {
  if (digest === undefined) return [];
  return [{ ...result, state: storedDigests.includes(digest) ? 'Verified' : 'Mismatch' }];
}

function referenceOf({ runUid, payload }: Message): AttemptReference | undefined {
  const { success, data } = payloadSchema.safeParse(payload);
  return success ? { runUid, ...data } : undefined;
}

const keyOf = ({ runUid, variantId, repetition, attempt }: AttemptReference): string =>
  `${runUid}/${variantId}/${repetition}/${attempt}`;
