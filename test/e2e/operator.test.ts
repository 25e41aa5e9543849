/** The example of docs/quickstart.md in containers, by the operator from the chart, which loses its leader in the middle; and the same on this machine. */
import { readdir, readFile } from 'node:fs/promises';
import { expect, inject, it } from 'vitest';
import { carrierCreations, endedPods, mostLive, present } from '../integration/watch-recorder.ts';
import { aWorld, DEADLINE_MS, type E2eWorld } from './e2e-world.ts';
import { comparedWithRunHere, exampleWith } from './example.ts';
import { OPERATOR_NAMESPACE, operatorPods } from './installed-operator.ts';

it('runs the example as this machine does, each trial once, also when its leader is taken away', {
  timeout: 480_000,
}, async () => {
  const world = await aWorld('compression');
  const example = await exampleWith('compression', world.images.compression);
  const uid = await world.create(example.manifest);
  await world.recorder.until(
    'some trials have ended',
    (changes) => endedPods(changes, uid).size >= 5 || undefined,
    DEADLINE_MS,
  );
  const taken = await takeLeaderAway(world);
  expect(endedPods(world.recorder.changes(), uid).size).toBeLessThan(55);
  // Nothing starts until the Lease has run out.
  const { status } = await world.untilOver(uid, 300_000);
  expect(status).toMatchObject({
    trials: { total: 55, succeeded: 55, failed: 0 },
    best: { name: 'brotli-11' },
  });
  expect((await operatorPods(world.cluster)).leader.metadata.name).not.toBe(taken);

  const attempts = await world.attempts(uid);
  expect(attempts).toHaveLength(55);
  expect(attempts.filter(({ attempt, is_accepted }) => attempt !== 1 || !is_accepted)).toEqual([]);
  // Pods go with their Jobs, which the garbage collector sees to.
  const changes = await world.recorder.until(
    'no pod is left',
    (seen) => (present(seen, uid, 'Pod').length === 0 ? seen : undefined),
    DEADLINE_MS,
  );
  expect([...carrierCreations(changes, uid).values()]).toEqual(Array.from({ length: 55 }, () => 1));
  expect(mostLive(changes, uid)).toBeLessThanOrEqual(2);

  const { best, differences } = await comparedWithRunHere(world, example, uid, 'ratio');
  expect(best).toBe('brotli-11');
  expect(differences).toEqual([]);
});

/**
 * Takes the leader away. Where its process is one of this machine, that is killed, as when its node is lost: it cannot give up its Lease, and another leads once that
 * has run out. Elsewhere its pod is deleted only. The kubelet lets it live for two seconds then, in which it hands over; that an operator may be killed at any write is
 * shown without containers, by test/faults/crash.test.ts and crash.long.test.ts.
 * @returns the name of the pod
 */
async function takeLeaderAway({ cluster }: E2eWorld): Promise<string> {
  const { leader } = await operatorPods(cluster);
  const { name } = leader.metadata;
  if (inject('target').runsHere) {
    await killContainer(leader.status.containerStatuses?.[0]?.containerID);
    expect((await operatorPods(cluster)).leader.metadata.name, 'who holds the Lease').toBe(name);
  }
  // Otherwise its container would be started again, and lead under the same name.
  await cluster.request(
    'DELETE',
    `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${name}?gracePeriodSeconds=0`,
  );
  return name;
}

/** Kills the processes of a container, such as containerd://0123…, and waits until they are gone. */
async function killContainer(containerId = ''): Promise<void> {
  const [, id = ''] = containerId.split('://');
  if (id === '') throw new Error(`"${containerId}" names no container`);
  const processes = await processesOf(id);
  if (processes.length === 0) throw new Error(`no process of this machine is in ${containerId}`);
  for (const pid of processes) process.kill(pid, 'SIGKILL');
  await expect.poll(() => processesOf(id), { timeout: DEADLINE_MS }).toEqual([]);
}

/** The cgroup of a process names the container that it is in. */
async function processesOf(container: string): Promise<readonly number[]> {
  const found = (await readdir('/proc'))
    .filter((entry) => /^\d+$/.test(entry))
    .map(async (pid) => {
      const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
      return cgroup.includes(container) ? [Number(pid)] : [];
    });
  return (await Promise.all(found)).flat();
}
