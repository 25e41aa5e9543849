import { type CloudEvent, HTTP } from 'cloudevents';
import { request } from 'undici';
import { withDeadline } from '../deadline.ts';
import { VERSION } from '../version.ts';
import type { NotificationTarget } from './notification-target.ts';

/** How long a receiver may take to answer. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Of an answer, which is not looked at. */
const BODY_LIMIT_BYTES = 65_536;

class NoAnswerError extends Error {}

/** Why an event was not taken. */
export interface NotTaken {
  /** Without credentials. */
  readonly problem: string;
  /** True when the receiver said so; false when it said nothing. */
  readonly isAnswer: boolean;
}

/**
 * Posts an event in structured mode of the HTTP protocol binding of CloudEvents. No redirect is followed: the administrator named where it goes.
 * @param token goes along as bearer token; undefined: none does
 * @returns undefined once it was taken (2xx), else why not
 */
export async function post(
  event: CloudEvent<unknown>,
  { url, origin }: NotificationTarget,
  token: string | undefined,
  signal: AbortSignal,
): Promise<NotTaken | undefined> {
  const { headers, body } = HTTP.structured(event);
  const authorization = token === undefined ? basicAuthorization(url) : `Bearer ${token}`;
  const target = new URL(url);
  target.username = '';
  target.password = '';
  const send = async (until: AbortSignal): Promise<number> => {
    const answer = await request(target, {
      method: 'POST',
      headers: {
        ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
        'user-agent': `batchtest/${VERSION}`,
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: String(body),
      signal: until,
    });
    await answer.body.dump({ limit: BODY_LIMIT_BYTES });
    return answer.statusCode;
  };
  try {
    const statusCode = await withDeadline(signal, ANSWER_TIMEOUT_MS, () => new NoAnswerError(), send);
    if (statusCode >= 200 && statusCode < 300) return undefined;
    const redirect = statusCode >= 300 && statusCode < 400 ? ', and no redirect is followed' : '';
    return { problem: `${origin} answered ${statusCode}${redirect}`, isAnswer: true };
  } catch (error) {
    signal.throwIfAborted();
    return { problem: `${origin} ${whyNoAnswer(error)}`, isAnswer: false };
  }
}

function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

/** Codes alone: the message of an error may repeat what was sent. */
function whyNoAnswer(error: unknown): string {
  if (error instanceof NoAnswerError) return `did not answer within ${ANSWER_TIMEOUT_MS / 1_000} s`;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return `cannot be reached (${typeof code === 'string' ? code : 'unknown error'})`;
}
