import { type S3Location, s3LocationOf } from '../artifacts/s3-location.ts';
import {
  InvalidTargetError,
  type NotificationTarget,
  notificationTarget,
} from '../notifications/notification-target.ts';

/** What an administrator configures of what follows from results. Nothing of it comes from a manifest or a result. */
export interface DeliveryConfig {
  /** URLs that are notified of runs that are over. */
  readonly notifyUrls: readonly string[];
  /** A file with a bearer token for them; undefined: none. */
  readonly notifyTokenFile: string | undefined;
  /** Where artifacts are read back from: `s3://bucket/prefix`. */
  readonly artifactStores: readonly string[];
}

/** A value of the administrator's that cannot be used; the message says which option it is of. */
export class InvalidDeliveryConfigError extends Error {
  override readonly name = 'InvalidDeliveryConfigError';
}

/**
 * Looks a configuration over.
 * @throws InvalidDeliveryConfigError
 */
export function checkDeliveryConfig({ notifyUrls, notifyTokenFile, artifactStores }: DeliveryConfig): void {
  targetsOf({ notifyUrls, notifyTokenFile });
  for (const text of artifactStores) locationOf(text);
}

/**
 * The targets that a configuration names.
 * @throws InvalidDeliveryConfigError
 */
export function targetsOf({
  notifyUrls,
  notifyTokenFile,
}: Pick<DeliveryConfig, 'notifyUrls' | 'notifyTokenFile'>): readonly NotificationTarget[] {
  return notifyUrls.map((text, index) => {
    try {
      return notificationTarget(text, notifyTokenFile !== undefined);
    } catch (error) {
      if (!(error instanceof InvalidTargetError)) throw error;
      const which = notifyUrls.length === 1 ? 'the URL' : `URL ${index + 1} of ${notifyUrls.length}`;
      throw new InvalidDeliveryConfigError(`${which} of --notify-url cannot be used: ${error.message}`);
    }
  });
}

/**
 * The part of a bucket that an artifact store of a configuration is.
 * @throws InvalidDeliveryConfigError
 */
export function locationOf(text: string): S3Location {
  const location = s3LocationOf(text);
  if (location === undefined)
    throw new InvalidDeliveryConfigError(
      `--artifact-store ${JSON.stringify(text.replace(/\/\/.*@/, '//…@'))} cannot be used: expected s3://BUCKET or s3://BUCKET/PREFIX`,
    );
  return location;
}
