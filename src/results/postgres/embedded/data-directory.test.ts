import { expect, test } from 'vitest';
import { defaultDataDirectory } from './data-directory.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';

test.each([
  ['follows XDG_DATA_HOME', { HOME: '/home/ann', XDG_DATA_HOME: '/data' }, 'linux', 1000, '/data/batchtest'],
  [
    'is below the home directory on Linux',
    { HOME: '/home/ann' },
    'linux',
    1000,
    '/home/ann/.local/share/batchtest',
  ],
  [
    'ignores a relative XDG_DATA_HOME, as its specification asks',
    { HOME: '/home/ann', XDG_DATA_HOME: 'data' },
    'linux',
    1000,
    '/home/ann/.local/share/batchtest',
  ],
  [
    'is Application Support on macOS',
    { HOME: '/Users/ann', XDG_DATA_HOME: '/data' },
    'darwin',
    501,
    '/Users/ann/Library/Application Support/batchtest',
  ],
  [
    'is a place others can enter for root',
    { HOME: '/home/admin', XDG_DATA_HOME: '/home/admin/data' },
    'linux',
    0,
    '/var/lib/batchtest',
  ],
] as const)('the default data directory %s', (_, env, platform, uid, expected) => {
  expect(defaultDataDirectory(env, platform, uid)).toBe(expected);
});

test.each([{}, { HOME: '' }, { HOME: 'relative' }])(
  'asks for a data directory when the home is %j',
  (env) => {
    expect(() => defaultDataDirectory(env, 'linux', 1000)).toThrow(EmbeddedPostgresError);
  },
);
