/**
 * Child processes of Node and nothing else: what the local engine is compared with. A process of its own, because starting a program costs the more the larger the
 * process is that starts it.
 *
 * node bare-spawn.mjs TRIALS PARALLELISM FOLDER PROGRAM [ARGS…]
 */
import { runPrograms } from './spawned-programs.mjs';

const [trials, parallelism, folder, ...program] = process.argv.slice(2);
await runPrograms({ trials: Number(trials), parallelism: Number(parallelism), folder, program });
