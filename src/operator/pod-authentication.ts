/**
 * Whose program it is that shows a token: by the API server's word for the token, and by the objects that it is bound to. A pod is not believed anything about itself: its run and
 * trial are those of the Job that owns it, which the BatchTest owns, by UID, or its own when the BatchTest owns it without one.
 */
import { isAttemptName } from '../core/attempt.ts';
import { isApiError } from '../engine/kubernetes/api-error.ts';
import { carrierPath } from '../engine/kubernetes/attempt-carrier.ts';
import {
  type CarrierProjection,
  isCarrier,
  type PodProjection,
  projectJob,
  projectPod,
} from '../engine/kubernetes/attempt-projections.ts';
import type { KubeClient } from '../engine/kubernetes/kube-client.ts';
import type { JobObject, PodObject } from '../engine/kubernetes/kubernetes-objects.ts';
import { RememberedTokens } from '../engine/kubernetes/remembered-tokens.ts';
import { RESULT_TOKEN_AUDIENCE } from '../engine/kubernetes/result-volume.ts';
import { reviewToken } from '../engine/kubernetes/token-review.ts';
import { tokenKey } from '../http/token-key.ts';
import type { PushAuthentication, PushAuthenticator } from '../ingest/push-authentication.ts';
import type { Logger } from '../telemetry/logger.ts';

/** How long the API server's word for a token is taken for what it would say again, in milliseconds. */
const VALID_MS = 60_000;
const INVALID_MS = 10_000;
const REMEMBERED_TOKENS = 10_000;
const REQUEST_TIMEOUT_MS = 10_000;

export interface PodAuthenticationOptions {
  readonly client: Pick<KubeClient, 'request'>;
  readonly namespaces: readonly string[] | 'All';
  readonly logger: Logger;
  /** A clock that never steps, in milliseconds. */
  readonly now: () => number;
}

/** A pod that a valid token for our audience is bound to; or why there is none. */
type ReviewedToken =
  | { readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string } }
  | { readonly refusal: Extract<PushAuthentication, { kind: 'Unauthenticated' | 'Forbidden' }> };

export class PodAuthentication implements PushAuthenticator {
  readonly #options: PodAuthenticationOptions;
  readonly #reviewed: RememberedTokens<ReviewedToken>;

  constructor(options: PodAuthenticationOptions) {
    this.#options = options;
    this.#reviewed = new RememberedTokens(REMEMBERED_TOKENS, options.now);
  }

  /** Whether the API server said within the last minute that it is the token of a pod. */
  isKnown(token: string): boolean {
    const reviewed = this.#reviewed.get(tokenKey(token));
    return reviewed !== undefined && 'pod' in reviewed;
  }

  /** Never rejects: what cannot be found out is Unavailable, and nothing is taken then. */
  authenticate = async (token: string): Promise<PushAuthentication> => {
    try {
      const reviewed = await this.#reviewedToken(token);
      return 'refusal' in reviewed ? reviewed.refusal : await this.#identityOf(reviewed.pod);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'a pushed result could not be authenticated');
      return {
        kind: 'Unavailable',
        message: 'the API server cannot be asked whose token it is; send it again',
      };
    }
  };

  async #reviewedToken(token: string): Promise<ReviewedToken> {
    const key = tokenKey(token);
    const known = this.#reviewed.get(key);
    if (known !== undefined) return known;
    const reviewed = await this.#review(token);
    this.#reviewed.remember(key, reviewed, 'pod' in reviewed ? VALID_MS : INVALID_MS);
    return reviewed;
  }

  async #review(token: string): Promise<ReviewedToken> {
    const { client, namespaces } = this.#options;
    const status = await reviewToken(client, { token, audiences: [RESULT_TOKEN_AUDIENCE] });
    // An authenticator that knows no audiences leaves them out, and then the token may be meant for anybody.
    if (status?.authenticated !== true || !status.audiences?.includes(RESULT_TOKEN_AUDIENCE))
      return unauthenticated(
        `the token is not valid: it must be one for the audience ${RESULT_TOKEN_AUDIENCE}, not expired, of a pod that is still there`,
      );
    const [, namespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(status.user?.username ?? '') ?? [];
    const name = status.user?.extra?.['authentication.kubernetes.io/pod-name']?.[0];
    const uid = status.user?.extra?.['authentication.kubernetes.io/pod-uid']?.[0];
    if (namespace === undefined || name === undefined || uid === undefined)
      return forbidden('the token is not bound to a pod');
    if (namespaces !== 'All' && !namespaces.includes(namespace))
      return forbidden(`this operator does not work in the namespace ${namespace}`);
    return { pod: { namespace, name, uid } };
  }

  async #identityOf(of: Extract<ReviewedToken, { pod: unknown }>['pod']): Promise<PushAuthentication> {
    const pod = await this.#found<PodObject>(`/api/v1/namespaces/${of.namespace}/pods/${of.name}`);
    if (pod?.metadata.uid !== of.uid) return unauthenticated('the pod of the token is gone').refusal;
    const podOfTrial = projectPod(pod);
    if (podOfTrial === undefined) return NOT_A_TRIAL;
    // An object of somebody else's making cannot have the name of one of ours that is there. That of its owner may be anything at all, a path too.
    if (!isAttemptName(podOfTrial.name, podOfTrial.runUid, podOfTrial.key)) return NOT_A_TRIAL;
    const attempt = isCarrier(podOfTrial) ? podOfTrial : await this.#jobOf(podOfTrial);
    if (attempt === undefined || !isAttemptName(attempt.name, attempt.runUid, attempt.key))
      return NOT_A_TRIAL;
    return {
      kind: 'Identified',
      identity: {
        runUid: attempt.runUid,
        namespace: of.namespace,
        start: { ...attempt.key, startId: of.uid },
        hasEnded: podOfTrial.state.kind === 'Ended',
      },
    };
  }

  async #jobOf({ namespace, name, carrierUid }: PodProjection): Promise<CarrierProjection | undefined> {
    const job = await this.#found<JobObject>(carrierPath({ kind: 'Job', namespace, name }));
    const projection = job === undefined ? undefined : projectJob(job);
    return projection?.uid === carrierUid ? projection : undefined;
  }

  async #found<T>(path: string): Promise<T | undefined> {
    try {
      return await this.#options.client.request<T>('GET', path, {
        timeoutMs: REQUEST_TIMEOUT_MS,
        maxTries: 2,
      });
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }
}

const unauthenticated = (message: string) => ({ refusal: { kind: 'Unauthenticated', message } }) as const;
const forbidden = (message: string) => ({ refusal: { kind: 'Forbidden', message } }) as const;
const NOT_A_TRIAL = { kind: 'Forbidden', message: 'the pod of the token is not that of a trial' } as const;
