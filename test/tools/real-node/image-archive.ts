import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

export interface LocalImage {
  /** With registry and tag, such as docker.io/batchtest-e2e/shell:1. */
  readonly name: string;
  /** Folders, each of which holds a part of the image's root. */
  readonly layers: readonly string[];
  readonly entrypoint: readonly string[];
  readonly environment?: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
}

/** Writes images into one file as `docker save` does, which Docker, kind and containerd read. A layer that several share is in it once. */
export async function writeImageArchive(images: readonly LocalImage[], archive: string): Promise<void> {
  const content = `${archive}.content`;
  await mkdir(content, { recursive: true });
  const layers = new Map<string, { readonly file: string; readonly digest: string }>();
  for (const folder of images.flatMap((image) => image.layers)) {
    if (layers.has(folder)) continue;
    const file = `layer-${layers.size}.tar`;
    await tar(join(content, file), folder);
    layers.set(folder, { file, digest: `sha256:${await digestOf(join(content, file))}` });
  }
  const manifest = [];
  for (const [index, image] of images.entries()) {
    const own = image.layers.flatMap((folder) => layers.get(folder) ?? []);
    const config = {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: {
        Entrypoint: image.entrypoint,
        Env: image.environment ?? ['PATH=/bin'],
        WorkingDir: image.workingDirectory ?? '/',
        User: image.user ?? '',
      },
      rootfs: { type: 'layers', diff_ids: own.map(({ digest }) => digest) },
    };
    const file = `config-${index}.json`;
    await writeFile(join(content, file), JSON.stringify(config));
    manifest.push({ Config: file, RepoTags: [image.name], Layers: own.map((layer) => layer.file) });
  }
  await writeFile(join(content, 'manifest.json'), JSON.stringify(manifest));
  await tar(archive, content);
  await rm(content, { recursive: true });
}

/** The same files give the same bytes: nothing of who built it, or when, is in it. */
async function tar(archive: string, folder: string): Promise<void> {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=a+rX'];
  await promisify(execFile)('tar', ['-cf', archive, ...same, '-C', folder, '.']);
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
