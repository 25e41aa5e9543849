import type { KubeClient, RequestOptions } from './kube-client.ts';

/** How long the API server may take to review something, in milliseconds. */
export const REVIEW_TIMEOUT_MS = 10_000;

/** What the API server says of a token. */
export interface TokenReviewStatus {
  readonly authenticated?: boolean;
  /** Those of the asked ones that it is meant for; an authenticator that knows no audiences leaves them out. */
  readonly audiences?: readonly string[];
  readonly user?: {
    readonly username?: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
}

/** Asks the API server whose a token is (TokenReview). */
export async function reviewToken(
  client: Pick<KubeClient, 'request'>,
  spec: { readonly token: string; readonly audiences?: readonly string[] },
  options: Pick<RequestOptions, 'urgent'> = {},
): Promise<TokenReviewStatus | undefined> {
  const { status } = await client.request<{ readonly status?: TokenReviewStatus }>(
    'POST',
    '/apis/authentication.k8s.io/v1/tokenreviews',
    {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec },
      timeoutMs: REVIEW_TIMEOUT_MS,
      ...options,
    },
  );
  return status;
}
