import { lookup } from 'mrmime';

/** The media type of a file by the extension of its name; `application/octet-stream` when that tells nothing. */
export const mediaTypeOf = (path: string): string => lookup(path) ?? 'application/octet-stream';
