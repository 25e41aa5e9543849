/** The code of a system error or of an error of Node's own, such as ENOENT; undefined for any other value. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Codes by which a machine says that it cannot read now, whatever there is to be read: no descriptor or memory to spare, a disk that fails. */
const MACHINE_FAILURES: ReadonlySet<string> = new Set(['EAGAIN', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM']);

/** True for a failure that says nothing about the file that was to be read. */
export const isMachineFailure = (error: unknown): boolean => MACHINE_FAILURES.has(errorCode(error) ?? '');
