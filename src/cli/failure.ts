import { ManifestError } from '../api/v1alpha1/valid-manifest.ts';
import { InvalidBatchTestError } from '../core/errors.ts';
import { IngestError } from '../ingest/ingest-error.ts';
import { HealthServerError } from '../operator/health-server-error.ts';
import { InvalidDeliveryConfigError } from '../outbox/delivery-config.ts';
import { EmbeddedPostgresError } from '../results/postgres/embedded/embedded-postgres-error.ts';
import { ResultStoreUnavailableError, SchemaTooNewError } from '../results/result-store.ts';
import {
  ClusterUnavailableError,
  NameInUseError,
  NoSuchRunError,
  RunNotBegunError,
  RunNotResumableError,
  RunTakenOverError,
  SharedDataError,
  UnsupportedLocallyError,
} from '../runner/errors.ts';
import { MetricsServerError } from '../telemetry/metrics-server-error.ts';
import { ExitCode } from './exit-code.ts';

/** A wrong use of the command line that only the command itself can see. Shown without a stack trace. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface ExplainedFailure {
  readonly exitCode: ExitCode;
  /** For stderr; without a stack trace when a person can do something about it. */
  readonly text: string;
}

/** What to tell a person about a failed command, and the exit code for scripts. The only place where errors become exit codes. */
export function explainFailure(error: unknown): ExplainedFailure {
  if (
    error instanceof ManifestError ||
    error instanceof InvalidBatchTestError ||
    error instanceof UsageError ||
    error instanceof NameInUseError ||
    error instanceof InvalidDeliveryConfigError ||
    error instanceof NoSuchRunError ||
    error instanceof UnsupportedLocallyError ||
    error instanceof RunNotResumableError ||
    error instanceof SharedDataError ||
    error instanceof IngestError
  )
    return { exitCode: ExitCode.invalidInput, text: error.message };
  if (error instanceof RunNotBegunError) return { exitCode: ExitCode.cancelled, text: error.message };
  if (error instanceof ResultStoreUnavailableError)
    return { exitCode: ExitCode.infrastructure, text: unavailabilityText(error) };
  if (
    error instanceof EmbeddedPostgresError ||
    error instanceof HealthServerError ||
    error instanceof MetricsServerError ||
    error instanceof RunTakenOverError ||
    error instanceof SchemaTooNewError
  )
    return { exitCode: ExitCode.infrastructure, text: error.message };
  if (error instanceof ClusterUnavailableError)
    return { exitCode: ExitCode.infrastructure, text: `cluster: ${error.message}` };
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    exitCode: ExitCode.infrastructure,
    text: `unexpected error; please report it with what follows\n${detail}`,
  };
}

const unavailabilityText = ({ message, reason, server }: ResultStoreUnavailableError): string =>
  `result store: ${message} (${reason}${server === undefined ? '' : `; server ${server}`})`;
