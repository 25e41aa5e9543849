/**
 * Takes the results that programs push: one POST of the JSON that a result file would hold. The same in a cluster and for a local run, but for how a program shows who it is.
 *
 * A result is committed before it is acknowledged, so whoever got no answer sends it again; the same bytes again are acknowledged again. Nothing is kept here.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseResult } from '../core/result-protocol.ts';
import { tokenKey } from '../http/token-key.ts';
import { type PushOutcome, type ResultStore, ResultStoreUnavailableError } from '../results/result-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Turns } from '../turns.ts';
import type { PushAnswer } from './push-answers.ts';
import type { PushAuthenticator, PushIdentity } from './push-authentication.ts';
import { PushRate } from './push-rate.ts';
import { discardBody, readBody } from './request-body.ts';
import { type TokenReview, TokenReviews } from './token-reviews.ts';

/** Where results are pushed to, below the server's address. */
export const RESULT_PATH = '/v1/result';

export interface ResultIngestOptions {
  readonly authenticator: PushAuthenticator;
  readonly store: Pick<ResultStore, 'pushResult'>;
  /** Bytes that a result may have. */
  readonly limitBytes: number;
  readonly logger: Logger;
  /** Called with each answer; must not throw. */
  readonly onAnswered?: (answer: PushAnswer) => void;
  /** A clock that never steps, in milliseconds. Default: that of this process. */
  readonly monotonicNow?: () => number;
}

/** Bodies held in memory at once, as many and of as many bytes together; who comes beyond that is asked to come again. */
const CONCURRENT_PUSHES = { most: 32, bytes: 64 * 1_024 * 1_024 };
/** Those of the bodies that are more than bytes: parsed, a result may take 25 times its length. */
const STORED_AT_ONCE = 2;
/** How long a push may wait for its turn, less than its sender waits for an answer. */
const TURN_PATIENCE_MS = 20_000;
const BUSY_RETRY_SECONDS = 1;
const UNAVAILABLE_RETRY_SECONDS = 5;

/** What is answered. `reason` is one CamelCase word, `message` a sentence for a person. */
interface Answer {
  readonly status: number;
  readonly reason: PushAnswer;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

const answer = (status: number, reason: PushAnswer, message: string, retryAfterSeconds?: number): Answer => ({
  ...{ status, reason, message },
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
});

const BUSY = answer(503, 'Busy', 'many results are being pushed; send it again', BUSY_RETRY_SECONDS);
const tooManyPushes = (message: string, waitMs: number): Answer =>
  answer(429, 'TooManyPushes', message, Math.ceil(waitMs / 1_000));
const STORED = answer(200, 'Stored', 'the result is stored');

export class ResultIngest {
  readonly #options: ResultIngestOptions;
  readonly #rate: PushRate;
  readonly #reviews: TokenReviews;
  readonly #places: number;
  readonly #turns = new Turns(STORED_AT_ONCE);
  #underWay = 0;
  /** Tokens and programs of which a push is under way. */
  readonly #pushing = new Set<string>();
  #answersLast = false;

  constructor(options: ResultIngestOptions) {
    this.#options = options;
    const now = options.monotonicNow ?? (() => performance.now());
    this.#rate = new PushRate(now);
    this.#reviews = new TokenReviews(options.authenticator, now);
    const ofTheLimit = Math.floor(CONCURRENT_PUSHES.bytes / options.limitBytes);
    this.#places = Math.min(CONCURRENT_PUSHES.most, ofTheLimit);
  }

  /** From now on each answer is the last on its connection. */
  answerLast(): void {
    this.#answersLast = true;
  }

  /**
   * Answers one request, whatever it is. Never rejects.
   * @param askForBody called when the body is wanted, of a sender who waits for that (Expect: 100-continue)
   */
  async handle(request: IncomingMessage, response: ServerResponse, askForBody?: () => void): Promise<void> {
    let isAskedFor = askForBody === undefined;
    const wantBody = (): void => {
      if (!isAskedFor) askForBody?.();
      isAskedFor = true;
    };
    const given = await this.#answerTo(request, wantBody).catch((error: unknown) => this.#explained(error));
    this.#tell(given, request);
    if (isAskedFor && !request.complete) await discardBody(request);
    if (response.destroyed) return;
    const { status, reason, message, retryAfterSeconds } = given;
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...(status === 405 ? { allow: 'POST' } : {}),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      // What is left of a body that was not read would be taken for the next request.
      ...(request.complete && !this.#answersLast ? {} : { connection: 'close' }),
    });
    response.end(`${JSON.stringify({ reason, message })}\n`);
  }

  #tell({ status, reason }: Answer, { socket }: IncomingMessage): void {
    const { logger, onAnswered } = this.#options;
    onAnswered?.(reason);
    if (status !== 200) logger.debug({ reason, from: socket.remoteAddress }, 'a push was not taken');
  }

  async #answerTo(request: IncomingMessage, wantBody: () => void): Promise<Answer> {
    if (request.url !== RESULT_PATH)
      return answer(404, 'NotFound', `there is only ${RESULT_PATH}, for a POST`);
    if (request.method !== 'POST') return answer(405, 'MethodNotAllowed', 'a result is sent by POST');
    if (![undefined, 'identity'].includes(request.headers['content-encoding']))
      return answer(415, 'EncodingNotSupported', 'a result is sent as it is, without a Content-Encoding');
    const token = bearerToken(request);
    if (token === undefined)
      return answer(
        401,
        'TokenMissing',
        'a push needs the header Authorization: Bearer with what $BATCHTEST_TOKEN_FILE holds',
      );
    if (this.#underWay >= this.#places) return BUSY;
    // Before the token costs a request or a place: a program that floods is refused by its token alone.
    const pusher = `token ${tokenKey(token)}`;
    return this.#oneAtATime(pusher, async () => {
      const review = await this.#reviews.review(token, request.socket.remoteAddress ?? '');
      // Nobody was asked, for what others do: this is not one of its pushes.
      if (review.kind === 'Busy' || review.kind === 'TooManyStrangers') this.#rate.giveBack(pusher);
      return this.#reviewed(request, review, wantBody);
    });
  }

  async #reviewed(request: IncomingMessage, review: TokenReview, wantBody: () => void): Promise<Answer> {
    switch (review.kind) {
      case 'Busy':
        return BUSY;
      case 'TooManyStrangers':
        return tooManyPushes('too many tokens from this address are not those of a trial', review.waitMs);
      case 'Unauthenticated':
        return answer(401, 'TokenNotValid', review.message);
      case 'Forbidden':
        return answer(403, 'NotATrial', review.message);
      case 'Unavailable':
        return answer(503, 'NotNow', review.message, UNAVAILABLE_RETRY_SECONDS);
      case 'Identified':
        return this.#identified(request, review.identity, wantBody);
    }
  }

  async #identified(request: IncomingMessage, identity: PushIdentity, wantBody: () => void): Promise<Answer> {
    if (identity.hasEnded) return answer(409, 'AttemptEnded', 'the program has ended: its result is decided');
    if (this.#underWay >= this.#places) return BUSY;
    this.#underWay += 1;
    try {
      // It may have more than one token.
      return await this.#oneAtATime(`program ${identity.start.startId}`, () =>
        this.#push(request, identity, wantBody),
      );
    } finally {
      this.#underWay -= 1;
    }
  }

  /** Who sends slowly, or much at once, holds one place and no more. */
  async #oneAtATime(pusher: string, push: () => Promise<Answer>): Promise<Answer> {
    const waitMs = this.#pushing.has(pusher) ? 1_000 : this.#rate.take(pusher);
    if (waitMs !== undefined)
      return tooManyPushes('this program pushes too often: a result is one push', waitMs);
    this.#pushing.add(pusher);
    try {
      return await push();
    } finally {
      this.#pushing.delete(pusher);
    }
  }

  async #push(request: IncomingMessage, identity: PushIdentity, wantBody: () => void): Promise<Answer> {
    const { limitBytes } = this.#options;
    const body = await readBody(request, limitBytes, wantBody);
    if (body === 'TooLarge')
      return answer(
        413,
        'ResultTooLarge',
        `the result is longer than the limit of ${limitBytes} bytes (--result-limit)`,
      );
    return (await this.#turns.take(TURN_PATIENCE_MS, () => this.#store(body, identity))) ?? BUSY;
  }

  async #store(body: Buffer, { runUid, namespace, start }: PushIdentity): Promise<Answer> {
    const { store, logger } = this.#options;
    const text = body.toString();
    if (text.trim() === '') return answer(422, 'ResultUnusable', 'the body is empty; it must be the result');
    const parsed = parseResult(text);
    if (!parsed.ok) return answer(422, 'ResultUnusable', parsed.problem);
    const sha256 = createHash('sha256').update(body).digest('hex');
    const outcome = await store.pushResult({ runUid, namespace, start, sha256, result: parsed.result });
    logger.debug({ run: runUid, ...start, bytes: body.length, outcome: outcome.kind }, 'result pushed');
    return answerOf(outcome);
  }

  #explained(error: unknown): Answer {
    const { logger } = this.#options;
    if (error instanceof ResultStoreUnavailableError) {
      logger.warn({ reason: error.reason, message: error.message }, 'a pushed result could not be stored');
      return answer(
        503,
        'ResultStoreUnavailable',
        `the result is not stored (${error.reason}); send it again`,
        UNAVAILABLE_RETRY_SECONDS,
      );
    }
    // The program hung up; nobody reads an answer.
    if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET')
      return answer(400, 'Aborted', 'the request was not sent to its end');
    logger.error({ err: error }, 'a push failed');
    return answer(
      500,
      'InternalError',
      'the result is not stored, by a defect; the log of the server says why',
    );
  }
}

function answerOf(outcome: PushOutcome): Answer {
  switch (outcome.kind) {
    case 'Stored':
      return STORED;
    case 'Refused':
      return answer(outcome.reason === 'PushNotEnabled' ? 403 : 409, outcome.reason, outcome.message);
  }
}

/** RFC 6750, section 2.1. */
function bearerToken({ headers }: IncomingMessage): string | undefined {
  const [, token] = /^Bearer +([A-Za-z0-9._~+/=-]{1,8192})\s*$/i.exec(headers.authorization ?? '') ?? [];
  return token;
}
