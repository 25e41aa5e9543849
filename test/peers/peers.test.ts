/** Other systems that compete in `npm run bench:cluster` do what is asked of them. They are built from their modules, which takes minutes the first time. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { WRITES_POLICY } from '../bench/cluster/api-writes.ts';
import { ARGO_WORKFLOWS } from '../bench/cluster/argo-contender.ts';
import { testContenders } from '../bench/cluster/contender.testsuite.ts';
import { KUEUE } from '../bench/cluster/kueue-contender.ts';
import type { Ground } from '../bench/cluster/measurement.ts';
import { installCrd } from '../integration/installed-crd.ts';
import { startPostgresServer } from '../integration/postgres-server.ts';
import { startControlPlane } from '../tools/control-plane.ts';
import { resolveGoTool } from '../tools/go-tools.ts';

let ground: Ground;
beforeAll(async () => {
  await resolveGoTool('argo');
  await resolveGoTool('kueue');
  const cluster = await startControlPlane({ auditPolicy: WRITES_POLICY });
  const [postgres, directory] = await Promise.all([
    startPostgresServer(),
    mkdtemp(join(tmpdir(), 'batchtest-peers-')),
    installCrd(cluster),
  ]);
  ground = { cluster, limits: 'raised', postgres, directory };
}, 2_700_000);
afterAll(async () => {
  await ground?.cluster.stop();
  await ground?.postgres.stop();
  if (ground !== undefined) await rm(ground.directory, { recursive: true, force: true });
}, 60_000);

testContenders(
  [
    { contender: ARGO_WORKFLOWS, leastWrites: 40, exactly: false },
    { contender: KUEUE, leastWrites: 40, exactly: false },
  ],
  () => ground,
);
