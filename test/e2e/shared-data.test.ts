/** Shared data in real pods: it is there to read, and cannot be written. */
import { createHash, randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { aWorld, DEADLINE_MS, type E2eWorld, scripts } from './e2e-world.ts';

const TEXT = 'hello, trial';

it('is read and cannot be written, of a ConfigMap and of a volume', async () => {
  const world = await aWorld('shared-data');
  await world.cluster.request('POST', `/api/v1/namespaces/${world.namespace}/configmaps`, {
    metadata: { name: 'corpus' },
    data: { 'a.txt': TEXT },
    immutable: true,
  });
  await claimOfFilledVolume(world, 'model');
  const read = (folder: string) =>
    `[ "$(cat ${folder}/a.txt)" = "${TEXT}" ] || exit 4; echo '{"metrics":{"x":1}}' >"$BATCHTEST_RESULT_FILE"`;
  const uid = await world.create(
    scripts(
      world.images.shell,
      {
        'config-map-read': read('/corpus'),
        'config-map-written': 'echo more >>/corpus/a.txt',
        'config-map-added': 'echo more >/corpus/b.txt',
        'volume-read': read('/model'),
        // All may write there, but for the mount.
        'volume-written': 'echo more >>/model/a.txt',
        'volume-added': 'echo more >/model/b.txt',
      },
      {
        spec: {
          sharedData: [
            { name: 'corpus', mountPath: '/corpus', configMap: { name: 'corpus' } },
            { name: 'model', mountPath: '/model', persistentVolumeClaim: { claimName: 'model' } },
          ],
        },
      },
    ),
  );
  await world.untilOver(uid);
  const readOnly = { outcome: 'TestFailed', message: expect.stringContaining('Read-only file system') };
  expect(await world.attempts(uid)).toMatchObject([
    { variant: 'config-map-added', ...readOnly },
    { variant: 'config-map-read', outcome: 'Succeeded', message: '' },
    // The kubelet's own file, of which the mode is asked first.
    {
      variant: 'config-map-written',
      outcome: 'TestFailed',
      message: expect.stringContaining('Permission denied'),
    },
    { variant: 'volume-added', ...readOnly },
    { variant: 'volume-read', outcome: 'Succeeded', message: '' },
    { variant: 'volume-written', ...readOnly },
  ]);
});

/** A claim of a folder of the node, in which a file is that everybody may write. */
async function claimOfFilledVolume({ cluster, namespace, images }: E2eWorld, claim: string): Promise<void> {
  const folder = `/var/lib/batchtest-e2e/${randomUUID()}`;
  const volume = `batchtest-e2e-${createHash('sha256').update(folder).digest('hex').slice(0, 8)}`;
  // Pods of the test's own namespace may not do that.
  const outside = await cluster.createNamespace('e2e-volume');
  onTestFinished(async () => {
    await cluster.request('DELETE', `/api/v1/namespaces/${outside}`);
    await cluster.request('DELETE', `/api/v1/persistentvolumes/${volume}`);
  });
  const pods = `/api/v1/namespaces/${outside}/pods`;
  await cluster.request('POST', pods, {
    metadata: { name: 'filler' },
    spec: {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'filler',
          image: images.shell,
          command: [
            '/bin/sh',
            '-c',
            `echo '${TEXT}' >/volume/a.txt; chmod 777 /volume; chmod 666 /volume/a.txt`,
          ],
          securityContext: { runAsUser: 0 },
          volumeMounts: [{ name: 'volume', mountPath: '/volume' }],
        },
      ],
      volumes: [{ name: 'volume', hostPath: { path: folder, type: 'DirectoryOrCreate' } }],
    },
  });
  const phase = async () =>
    (await cluster.request<{ status: { phase: string } }>('GET', `${pods}/filler`)).status.phase;
  await expect.poll(phase, { timeout: DEADLINE_MS }).toBe('Succeeded');

  const common = { accessModes: ['ReadOnlyMany'], storageClassName: '' };
  await cluster.request('POST', '/api/v1/persistentvolumes', {
    metadata: { name: volume },
    spec: {
      ...common,
      capacity: { storage: '1Mi' },
      hostPath: { path: folder },
      claimRef: { namespace, name: claim },
    },
  });
  await cluster.request('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims`, {
    metadata: { name: claim },
    spec: { ...common, volumeName: volume, resources: { requests: { storage: '1Mi' } } },
  });
}
