import { once } from 'node:events';
import { startControlPlane } from './control-plane.ts';

// Runs a control plane for a developer until Ctrl-C: npx tsx test/tools/run-control-plane.ts
const controlPlane = await startControlPlane();
process.stdout.write(
  [
    `A Kubernetes control plane answers at ${controlPlane.url}. In another terminal:`,
    '',
    `  export KUBECONFIG=${controlPlane.kubeconfigPath}`,
    '',
    'Ctrl-C stops it and removes its data.',
    '',
  ].join('\n'),
);
// A terminal signals npx as well, which passes it on: the second one must not end this process while it tidies up.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await controlPlane.stop();
