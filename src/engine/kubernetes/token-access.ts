import { tokenKey } from '../../http/token-key.ts';
import { CONNECTIONS_FOR_URGENT_REQUESTS, type KubeClient } from './kube-client.ts';
import { RememberedTokens } from './remembered-tokens.ts';
import { REVIEW_TIMEOUT_MS, reviewToken } from './token-review.ts';

/** What became of the question whether a token may do something. */
export type TokenVerdict = 'Allowed' | 'Unauthenticated' | 'Forbidden' | 'Unavailable';

export interface TokenAccessOptions {
  readonly client: Pick<KubeClient, 'request'>;
  /** What is asked for: a non-resource URL of RBAC, such as /metrics, which a role grants by the verb `get`. */
  readonly path: string;
  /** Told of what a review failed with; the token is refused then. */
  readonly onProblem: (error: unknown) => void;
  /** A clock that never steps, in milliseconds. */
  readonly monotonicNow: () => number;
}

/** How long an answer is used again. A token that was just granted the right is let in soon; one that lost it is out within a minute. */
const ALLOWED_FOR_MS = 60_000;
const REFUSED_FOR_MS = 10_000;
const MAX_REMEMBERED = 1_000;
/** Whoever floods us with wrong tokens must neither flood the API server through us nor hold up the renewal of the Lease. */
const MAX_REVIEWS_AT_ONCE = CONNECTIONS_FOR_URGENT_REQUESTS - 2;

interface SubjectAccessReview {
  readonly status?: { readonly allowed?: boolean };
}

/**
 * Asks the API server whose a bearer token is (TokenReview) and whether they may (SubjectAccessReview), as controller-runtime does for
 * its metrics. What cannot be found out is refused. Tokens are remembered by their hash only.
 */
export class TokenAccess {
  readonly #options: TokenAccessOptions;
  readonly #answers: RememberedTokens<TokenVerdict>;
  readonly #reviews = new Map<string, Promise<TokenVerdict>>();

  constructor(options: TokenAccessOptions) {
    this.#options = options;
    this.#answers = new RememberedTokens(MAX_REMEMBERED, options.monotonicNow);
  }

  /** @param authorization an Authorization header; undefined when there was none */
  async decide(authorization: string | undefined): Promise<TokenVerdict> {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return 'Unauthenticated';
    const hash = tokenKey(token);
    const remembered = this.#answers.get(hash);
    if (remembered !== undefined) return remembered;
    const underWay = this.#reviews.get(hash);
    if (underWay !== undefined) return underWay;
    if (this.#reviews.size >= MAX_REVIEWS_AT_ONCE) return 'Unavailable';
    const review = this.#review(token)
      .then((verdict) => this.#remember(hash, verdict))
      .catch((error: unknown): TokenVerdict => {
        this.#options.onProblem(error);
        return 'Unavailable';
      })
      .finally(() => this.#reviews.delete(hash));
    this.#reviews.set(hash, review);
    return review;
  }

  #remember(hash: string, verdict: TokenVerdict): TokenVerdict {
    this.#answers.remember(hash, verdict, verdict === 'Allowed' ? ALLOWED_FOR_MS : REFUSED_FOR_MS);
    return verdict;
  }

  async #review(token: string): Promise<TokenVerdict> {
    const status = await reviewToken(this.#options.client, { token }, URGENTLY);
    const user = status?.user;
    if (status?.authenticated !== true || user?.username === undefined) return 'Unauthenticated';
    const { username, uid, groups, extra } = user;
    const spec = {
      user: username,
      uid,
      groups,
      extra,
      nonResourceAttributes: { path: this.#options.path, verb: 'get' },
    };
    const review = await this.#options.client.request<SubjectAccessReview>(
      'POST',
      '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      {
        body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec },
        timeoutMs: REVIEW_TIMEOUT_MS,
        ...URGENTLY,
      },
    );
    return review.status?.allowed === true ? 'Allowed' : 'Forbidden';
  }
}

/** A review changes nothing, so that one who does not lead may ask for it, and it must not wait behind a run's thousand Jobs. */
const URGENTLY = { urgent: true } as const;
