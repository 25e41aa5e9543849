import { errorCode } from '../../error-code.ts';

/** Codes by which a machine says that it has none to spare just now, whatever it is asked to do: processes, files, memory. */
export const NONE_TO_SPARE: readonly string[] = ['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'];

/** Codes by which a machine says that it cannot read now, whatever there is to be read: it is short of something, or its disk fails. */
const MACHINE_FAILURES: ReadonlySet<string> = new Set([...NONE_TO_SPARE, 'EIO']);

/** True for a failure that says nothing about the file that was to be read. */
export const isMachineFailure = (error: unknown): boolean => MACHINE_FAILURES.has(errorCode(error) ?? '');
