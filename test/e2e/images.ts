import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '../tools/markdown-page.ts';
import { nodeRelease } from '../tools/node-release.ts';
import { readOperatorImage } from '../tools/operator-image.ts';
import { pythonWith } from '../tools/python-environment.ts';
import { writeImageArchive } from '../tools/real-node/image-archive.ts';
import { copyProgram, copyPython, copyShell } from '../tools/real-node/local-files.ts';

/** Where images are named when they are loaded from archives. */
export const LOCAL_REGISTRY = 'docker.io/batchtest-e2e';

/** The names of all images, which differ by where they are kept. */
export const imagesIn = (registry: string) => ({
  shell: `${registry}/shell:1`,
  operator: `${registry}/operator:1`,
  compression: `${registry}/compression:1`,
  'ml-pipeline': `${registry}/ml-pipeline:1`,
});

const NODE = 'nodejs/bin/node';
const EXAMPLES = join(REPOSITORY, 'examples');
const EXAMPLE_FILES = {
  compression: ['compress.js', 'opticks-book-one.txt'],
  'ml-pipeline': ['pipeline.py'],
};
/** A number, as runAsNonRoot can only check a number. */
const USER = '65532:65532';

/** The packages of the example ml-pipeline, as its README has them. */
export const ML_REQUIREMENTS = join(EXAMPLES, 'ml-pipeline', 'requirements.txt');

/** Writes an archive of all images, made of Node, this machine's Python and busybox, and the command line as it was built. */
export async function writeImages(archive: string, registry = LOCAL_REGISTRY): Promise<void> {
  const names = imagesIn(registry);
  const operator = await readOperatorImage();
  const content = await mkdtemp(join(tmpdir(), 'batchtest-images-'));
  const layer = (name: string) => join(content, name);
  try {
    await copyShell(layer('shell'));
    // What the examples come to is compared with a run on this machine, in this release of Node.
    await copyProgram(process.execPath, layer('node'), NODE);
    await copyProgram(await nodeRelease(operator.nodeMajor), layer('node-of-image'), NODE);
    await copyFiles(
      REPOSITORY,
      ['dist/cli', 'package.json', 'LICENSE', 'crds'],
      join(layer('operator'), 'app'),
    );
    for (const [name, files] of Object.entries(EXAMPLE_FILES))
      await copyFiles(join(EXAMPLES, name), files, join(layer(name), 'app'));
    const { interpreter, packages } = await copyPython(await pythonWith(ML_REQUIREMENTS), layer('python'));
    const image = { user: USER, workingDirectory: '/app' };
    await writeImageArchive(
      [
        { ...image, name: names.shell, layers: [layer('shell')], entrypoint: [] },
        {
          ...image,
          name: names.operator,
          layers: [layer('node-of-image'), layer('operator')],
          entrypoint: operator.command,
          environment: Object.entries(operator.environment).map(([name, value]) => `${name}=${value}`),
        },
        {
          ...image,
          name: names.compression,
          layers: [layer('node'), layer('compression')],
          entrypoint: [`/${NODE}`, '/app/compress.js'],
        },
        {
          ...image,
          name: names['ml-pipeline'],
          layers: [layer('python'), layer('ml-pipeline')],
          entrypoint: [interpreter, '/app/pipeline.py'],
          environment: ['PATH=/bin', `PYTHONPATH=${packages}`],
        },
      ],
      archive,
    );
  } finally {
    await rm(content, { recursive: true });
  }
}

async function copyFiles(from: string, entries: readonly string[], to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of entries) await cp(join(from, entry), join(to, entry), { recursive: true });
}
