/** Part of `details` of a meta/v1 Status. */
export interface StatusDetails {
  readonly name?: string;
  readonly kind?: string;
  readonly retryAfterSeconds?: number;
  readonly causes?: readonly {
    readonly reason?: string;
    readonly message?: string;
    readonly field?: string;
  }[];
}

/** meta/v1 Status, as far as it is read. */
export interface StatusObject {
  readonly kind?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: StatusDetails;
}

const MESSAGE_LIMIT = 2_048;

/** The API server's answer was an error. Holds nothing of the request but its method and path, so never a credential. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status code. */
  readonly status: number;
  /** The reason of the answer's Status object, such as AlreadyExists; empty when it had none. */
  readonly reason: string;
  readonly details: StatusDetails;
  /** How long the server asks to wait before another try. */
  readonly retryAfterMs: number | undefined;
  /** The server's own words. */
  readonly statement: string;

  constructor(request: string, status: number, answer: StatusObject | string, retryAfterMs?: number) {
    const { reason, message, details } =
      typeof answer === 'string' ? { message: answer.trim(), reason: '', details: {} } : answer;
    const statement = (message === undefined || message === '' ? `HTTP status ${status}` : message).slice(
      0,
      MESSAGE_LIMIT,
    );
    super(`${request}: ${status} ${statement}`);
    this.status = status;
    this.reason = reason ?? '';
    this.details = details ?? {};
    const seconds = this.details.retryAfterSeconds;
    this.retryAfterMs = retryAfterMs ?? (seconds === undefined ? undefined : seconds * 1_000);
    this.statement = statement;
  }
}

/** True for an answer of this HTTP status. */
export const isApiError = (error: unknown, status: number): error is ApiError =>
  error instanceof ApiError && error.status === status;

/**
 * What a Retry-After header asks for, in milliseconds; undefined when there is none that can be read. Kubernetes sends whole seconds
 * only, proxies before it may send a date (RFC 9110, 10.2.3).
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
