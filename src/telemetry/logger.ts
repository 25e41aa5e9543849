import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** JSON lines for machines: one object a line, times in ISO 8601. Nothing that may hold a credential is ever logged as a field. */
export function createLogger(level: LogLevel, destination: DestinationStream = process.stderr): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['*.password', '*.token', '*.connectionString', 'password', 'token'],
        censor: '[redacted]',
      },
    },
    destination,
  );
}
