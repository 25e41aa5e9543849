import { imagesIn, writeImages } from './images.ts';

// Writes the images of the end-to-end tests, named for a registry: npx tsx test/e2e/write-images.ts ARCHIVE REGISTRY
const [archive, registry] = process.argv.slice(2);
if (archive === undefined || registry === undefined)
  throw new Error('usage: npx tsx test/e2e/write-images.ts ARCHIVE REGISTRY');
await writeImages(archive, registry);
const pushes = Object.values(imagesIn(registry)).map((image) => `docker push ${image}\n`);
process.stdout.write([`docker load -i ${archive}\n`, ...pushes].join(''));
