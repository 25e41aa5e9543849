import { expect, it } from 'vitest';
import { unmetRequirement } from './server-requirements.ts';

it.each([
  { version: '9.6.24', versionNumber: 90_624 },
  { version: '13.22 (Debian 13.22-1.pgdg12+1)', versionNumber: 130_022 },
])('PostgreSQL $version is too old, which is told with what to do', (server) => {
  expect(unmetRequirement({ ...server, encoding: 'UTF8' })).toEqual({
    reason: 'ServerTooOld',
    message: `the database server is PostgreSQL ${server.version}, and results need 14 or later. Upgrade it, or use another`,
  });
});

it.each([140_000, 180_004])('a server of version %d will do', (versionNumber) => {
  expect(unmetRequirement({ version: '', versionNumber, encoding: 'UTF8' })).toBeUndefined();
});
