import { createHash } from 'node:crypto';

/** What stands for a bearer token wherever it is kept: its hash. */
export const tokenKey = (token: string): string => createHash('sha256').update(token).digest('base64');
