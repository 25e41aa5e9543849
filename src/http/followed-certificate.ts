import { X509Certificate } from 'node:crypto';

/** A certificate and its key, in PEM form. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** When a certificate in PEM form expires, in milliseconds since the epoch; throws when it is none. */
export const expiryOf = (cert: string): number => Date.parse(new X509Certificate(cert).validTo);

export interface FollowOptions<Pair extends CertificatePair> {
  readonly everyMs: number;
  readonly read: () => Promise<Pair>;
  /** Takes a pair that is another one than the last; throws when it cannot be used, and then the last one stays. */
  readonly use: (pair: Pair) => void;
  /** Told of files that cannot be read or used. They are read again. */
  readonly onProblem: (error: unknown) => void;
}

/**
 * Reads a pair of files again and again, as a certificate is renewed in place long before it expires.
 * @param first the pair that is used already
 * @returns how to stop
 */
export function followCertificate<Pair extends CertificatePair>(
  first: Pair,
  { everyMs, read, use, onProblem }: FollowOptions<Pair>,
): () => void {
  let used = first;
  const look = async (): Promise<void> => {
    try {
      const pair = await read();
      if (pair.cert === used.cert && pair.key === used.key) return;
      use(pair);
      used = pair;
    } catch (error) {
      onProblem(error);
    }
  };
  const timer = setInterval(look, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
