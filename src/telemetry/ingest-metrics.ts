import { PUSH_ANSWERS, type PushAnswer } from '../ingest/push-answers.ts';
import type { MetricFamilies } from './metric-families.ts';

/** What programs push, as the one who takes it sees it. */
export interface IngestMetrics {
  pushAnswered(answer: PushAnswer): void;
}

export function createIngestMetrics(families: MetricFamilies): IngestMetrics {
  const pushes = families.counter(
    'batchtest_pushes_total',
    'Results that programs pushed, by the reason in the answer: Stored, or why not. Those that are pushed again count again.',
    { answer: PUSH_ANSWERS },
  );
  for (const answer of PUSH_ANSWERS) pushes.inc({ answer }, 0);
  return { pushAnswered: (answer) => pushes.inc({ answer }) };
}
