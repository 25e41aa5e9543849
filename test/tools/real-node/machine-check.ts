import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const PROGRAMS: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  ctr: 'containerd',
  'containerd-shim-runc-v2': 'containerd',
  runc: 'runc',
  ip: 'iproute2',
  unshare: 'util-linux',
  setpriv: 'util-linux',
};
const FILES: Readonly<Record<string, string>> = {
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  '/usr/lib/cni/host-local': 'containernetworking-plugins',
  '/bin/busybox': 'busybox-static',
};

/** What this machine lacks to host a real node, in words; nothing when it can. */
export function missingForNode(): readonly string[] {
  if (process.platform !== 'linux') return ['Linux'];
  const folders = (process.env.PATH ?? '').split(delimiter);
  const packages = new Set([
    ...Object.entries(PROGRAMS)
      .filter(([program]) => !folders.some((folder) => existsSync(join(folder, program))))
      .map(([, debianPackage]) => debianPackage),
    ...Object.entries(FILES)
      .filter(([file]) => !existsSync(file))
      .map(([, debianPackage]) => debianPackage),
  ]);
  return [
    ...(process.getuid?.() === 0 ? [] : ['root, for namespaces, mounts and cgroups']),
    ...[...packages].map((debianPackage) => `Debian's package ${debianPackage}, or what is in it`),
  ];
}

// For scripts: ends well, or says what is missing.
if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const missing = missingForNode();
  process.stdout.write(missing.join('; '));
  process.exitCode = missing.length > 0 ? 1 : 0;
}
