/** Other systems that compete in `npm run bench:cluster` do what is asked of them. They are built from their modules, which takes minutes the first time. */
import { afterAll, beforeAll } from 'vitest';
import { ARGO_WORKFLOWS } from '../bench/cluster/argo-contender.ts';
import { openTestGround, type TestGround, testContenders } from '../bench/cluster/contender.testsuite.ts';
import { KUEUE } from '../bench/cluster/kueue-contender.ts';
import { resolveGoTool } from '../tools/go-tools.ts';

let site: TestGround;
beforeAll(async () => {
  await resolveGoTool('argo');
  await resolveGoTool('kueue');
  site = await openTestGround();
}, 2_700_000);
afterAll(() => site?.close(), 60_000);

testContenders(
  [
    { contender: ARGO_WORKFLOWS, leastWrites: 40, exactly: false },
    { contender: KUEUE, leastWrites: 40, exactly: false, refillsWhileCancelled: true },
  ],
  () => site.ground,
);
