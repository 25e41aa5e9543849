/** Pushed results cannot be taken as configured: a file that cannot be read, a port that is taken. The message names what was configured. */
export class IngestError extends Error {
  override readonly name = 'IngestError';
}
