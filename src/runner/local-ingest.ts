import { AttemptTokens } from '../engine/local/attempt-tokens.ts';
import { startIngestServer } from '../ingest/ingest-server.ts';
import type { PushAuthenticator } from '../ingest/push-authentication.ts';
import { RESULT_PATH, ResultIngest } from '../ingest/result-ingest.ts';
import { DEFAULT_RESULT_LIMIT_BYTES } from '../ingest/result-limit.ts';
import type { ResultStore } from '../results/result-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RunnerMetrics } from './runner-metrics.ts';

/** Where the programs of a local run push their results to. */
export interface LocalIngest {
  readonly url: string;
  readonly tokens: AttemptTokens;
  close(): Promise<void>;
}

/** Takes pushed results on a port of the loopback interface; a program shows who it is by the token that its engine gave it. */
export async function startLocalIngest(
  store: Pick<ResultStore, 'pushResult'>,
  limitBytes = DEFAULT_RESULT_LIMIT_BYTES,
  logger: Logger,
  metrics?: Pick<RunnerMetrics, 'store' | 'ingest'>,
): Promise<LocalIngest> {
  const tokens = new AttemptTokens();
  const authenticator: PushAuthenticator = {
    isKnown: (token) => tokens.find(token) !== undefined,
    authenticate: async (token) => {
      const holder = tokens.find(token);
      return holder === undefined
        ? { kind: 'Unauthenticated', message: 'the token is not one of a program that runs' }
        : { kind: 'Identified', identity: { ...holder, namespace: undefined } };
    },
  };
  const ingest = new ResultIngest({
    ...{ authenticator, limitBytes, logger },
    store: metrics?.store.measuredPushes(store) ?? store,
    ...(metrics === undefined ? {} : { onAnswered: metrics.ingest.pushAnswered }),
  });
  const server = await startIngestServer(
    { host: '127.0.0.1', port: 0, tls: undefined, sharedByAddress: false },
    ingest,
  );
  return {
    url: `http://127.0.0.1:${server.port}${RESULT_PATH}`,
    tokens,
    close: () => server.close(),
  };
}
