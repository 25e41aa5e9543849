import { copyFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { untilInterrupted } from '../until-interrupted.ts';
import { startRealNode } from './real-node.ts';

// Runs a control plane with a real node for a developer until Ctrl-C: npx tsx test/tools/real-node/run-real-node.ts [ARCHIVE.tar …]
const archives = process.argv.slice(2);
const node = await startRealNode((folder) =>
  Promise.all(archives.map((archive) => copyFile(archive, join(folder, basename(archive))))),
);
process.stdout.write(
  [
    `A Kubernetes control plane with a real node answers at ${node.controlPlane.url}. In another terminal:`,
    '',
    `  export KUBECONFIG=${node.controlPlane.kubeconfigPath}`,
    '',
    `The node's files and logs are in ${node.directory}. Ctrl-C stops all of it and removes its data.`,
    '',
  ].join('\n'),
);
await untilInterrupted();
await node.stop();
