import { afterAll, beforeAll, describe, inject } from 'vitest';
import { describeEngine, type EngineHarness } from '../../src/engine/engine.testsuite.ts';
import { openKubernetesEngine } from '../../src/engine/kubernetes/kubernetes-engine.ts';
import { isLivePod, type KubernetesWorld, openWorld } from './kubernetes-world.ts';

describe.each(['Job', 'Pod'] as const)('with execution %s', (execution) => {
  let world: KubernetesWorld;
  beforeAll(async () => {
    world = await openWorld(inject('controlPlane'), `engine-contract-${execution.toLowerCase()}`, execution);
  });
  afterAll(() => world?.close());

  const harness: EngineHarness = {
    createEngine: () => openKubernetesEngine({ client: world.client(), namespaces: [world.namespace] }),
    aRun: (trials, { runMs, exitCode, resultText, lastWords }) =>
      world.aRun(trials, { runMs, exitCode, message: resultText ?? lastWords ?? '' }),
    aRunThatCannotStart: () =>
      world.aRun(
        1,
        { runMs: 0 },
        {
          spec: {
            containers: [
              {
                name: 'test',
                image: 'bench:1',
                volumeMounts: [{ name: 'no-such-volume', mountPath: '/data' }],
              },
            ],
          },
        },
      ),
    async removeAsSomebodyElse(_, name) {
      await world.cluster.request('DELETE', `${world.carriers}/${name}`, {
        propagationPolicy: 'Background',
      });
    },
    liveProgramsOf: async (run) => (await world.podsOf(run)).filter(isLivePod).length,
    attemptsOutliveEngine: true,
    deadlineMs: 20_000,
  };

  describeEngine('the Kubernetes engine', harness);
});
