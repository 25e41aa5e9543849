import type { UnseenNamespace } from '../engine/kubernetes/kubernetes-run-source.ts';
import { viewFailureOf } from './view-failure.ts';

/**
 * Says which namespaces are not seen to yet, and why; undefined when all are. Whoever asks for it need not be somebody whom the API server would tell more, so its
 * words are not repeated.
 */
export function unseenNamespaces(unseen: readonly UnseenNamespace[]): string | undefined {
  if (unseen.length === 0) return undefined;
  const each = unseen.map(({ namespace, problem }) => {
    const why = problem === undefined ? 'being listed' : viewFailureOf(problem.error);
    return `${namespace ?? 'all namespaces'} (${why})`;
  });
  return `${each.join(', ')}: not seen completely yet, so nothing of it is run`;
}
