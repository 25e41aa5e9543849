import type { BuildOptions } from './go-programs.ts';
import { resolveGoTool } from './go-tools.ts';

export const resolveHelm = (options: BuildOptions): Promise<string> => resolveGoTool('helm', options);
