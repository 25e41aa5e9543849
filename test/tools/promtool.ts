import { spawn } from 'node:child_process';

/** How a call of promtool ended. */
export interface PromtoolAnswer {
  readonly exitCode: number | null;
  /** Of both outputs. */
  readonly text: string;
}

/**
 * Runs Prometheus' own checker.
 * @throws Error that says what to install where it is missing
 */
export function promtool(args: readonly string[], input = ''): Promise<PromtoolAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn('promtool', [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let text = '';
    const take = (part: string) => {
      text += part;
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.stdin.on('error', () => undefined);
    child.once('error', (cause) =>
      reject(
        new Error(
          'promtool cannot be run: install Prometheus 2.42 or later (Debian: apt install prometheus)',
          {
            cause,
          },
        ),
      ),
    );
    child.once('close', (exitCode) => resolve({ exitCode, text }));
    child.stdin.end(input);
  });
}
