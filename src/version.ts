import { createRequire } from 'node:module';

/** The version of this package, from its package.json: by name, as this module may lie anywhere in it. */
export const VERSION: string = createRequire(import.meta.url)('batchtest/package.json').version;
