import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { resolveKubectl } from '../tools/kubectl-binary.ts';

/** How much of each operator's log is enough to see what happened. */
const LAST_LINES = 200;

/** What there is to see in a cluster where something failed: pods, events and the operators' logs. In place of what cannot be told is why. */
export async function whatTheClusterSays(kubeconfigPath: string, operatorNamespace: string): Promise<string> {
  const kubectl = await resolveKubectl();
  const said = async (...args: readonly string[]): Promise<string> => {
    const whole = ['--kubeconfig', kubeconfigPath, '--request-timeout=30s', ...args];
    const { stdout, stderr } = await promisify(execFile)(kubectl, whole, {
      maxBuffer: 64 * 1024 * 1024,
    }).catch((error: { readonly stdout: string; readonly stderr: string }) => error);
    return `kubectl ${args.join(' ')}\n${stdout}${stderr}\n`;
  };
  const operators = ['-n', operatorNamespace, '-l', 'app.kubernetes.io/component=operator'];
  return [
    await said('get', 'pods', '--all-namespaces', '-o', 'wide'),
    await said('get', 'events', '--all-namespaces', '--sort-by=.lastTimestamp'),
    await said('logs', ...operators, '--prefix', `--tail=${LAST_LINES}`),
  ].join('');
}
