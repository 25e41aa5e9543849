/** The example with the large image: Python, scikit-learn and XGBoost in containers, and the same on this machine. */
import { expect, it } from 'vitest';
import { pythonWith } from '../tools/python-environment.ts';
import { aWorld } from './e2e-world.ts';
import { comparedWithRunHere, exampleWith } from './example.ts';
import { ML_REQUIREMENTS } from './images.ts';

it('reads digits in containers as well as on this machine, and finds the same variant best', {
  timeout: 480_000,
}, async () => {
  const world = await aWorld('ml-pipeline');
  const command = [await pythonWith(ML_REQUIREMENTS), 'pipeline.py'];
  const example = await exampleWith('ml-pipeline', world.images['ml-pipeline'], command);
  const uid = await world.create(example.manifest);
  const { status } = await world.untilOver(uid, 300_000);
  expect(status).toMatchObject({ trials: { total: 10, succeeded: 10, failed: 0 } });
  const { best, differences } = await comparedWithRunHere(world, example, uid, 'accuracy');
  expect(status?.best?.name).toBe(best);
  expect(differences).toEqual([]);
});
