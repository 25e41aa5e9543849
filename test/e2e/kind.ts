/**
 * Does what docs/quickstart.md says of a cluster of this machine, as it is written there: with kind, Docker, kubectl and Helm, images that are built and
 * programs that run in them. Ends with an error when a command fails, or when another variant is best than should be. .github/workflows/kind.yml runs it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { blocksUnder, markdownPage, REPOSITORY } from '../tools/markdown-page.ts';

const page = markdownPage('docs/quickstart.md');
const PORT_DEADLINE_MS = 60_000;

const commandsUnder = (heading: string): readonly string[] =>
  blocksUnder(page, heading).map(({ text }) => text);

/** Standard output of the commands, which is shown as well. */
function run(commands: string): string {
  process.stdout.write(`\n${commands}`);
  const output = execFileSync('bash', ['-euo', 'pipefail', '-c', commands], {
    cwd: REPOSITORY,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stdout.write(output);
  return output;
}

/** Does something while a command runs that forwards a port. */
async function whileForwarding(command: string, use: () => void): Promise<void> {
  const [, port] = /\b(\d+):\d+$/m.exec(command) ?? [];
  process.stdout.write(`\n${command}`);
  // Replaced by what it starts, so that a signal reaches that.
  const forwarding = spawn('bash', ['-c', `exec ${command}`], { cwd: REPOSITORY, stdio: 'inherit' });
  const ended = once(forwarding, 'close');
  try {
    const deadline = performance.now() + PORT_DEADLINE_MS;
    while (!(await isServed(Number(port)))) {
      if (forwarding.exitCode !== null || performance.now() > deadline)
        throw new Error(`port ${port} is not forwarded`);
      await sleep(100);
    }
    use();
  } finally {
    forwarding.kill();
    await ended;
  }
}

const isServed = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

function expectText(text: string, expected: string): void {
  if (!text.includes(expected)) throw new Error(`expected ${JSON.stringify(expected)} in ${text}`);
}

for (const heading of ['A cluster and two images', 'The operator', 'A run'])
  for (const commands of commandsUnder(heading)) run(commands);
expectText(run("kubectl get batchtest compression -o jsonpath='{.status.best.name}'\n"), 'brotli-11');

const [forward = '', report = ''] = commandsUnder('The report');
await whileForwarding(forward, () => {
  const text = run(report);
  expectText(text, '55 of 55 trials succeeded');
  expectText(text, '★ brotli-11 is best');
});

for (const commands of commandsUnder('The end')) run(commands);
