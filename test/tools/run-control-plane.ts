import { startControlPlane } from './control-plane.ts';
import { untilInterrupted } from './until-interrupted.ts';

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
await untilInterrupted();
await controlPlane.stop();
