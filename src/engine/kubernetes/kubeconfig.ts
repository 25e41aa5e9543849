/** What is needed of @kubernetes/client-node, in a module of its own: the bundle then leaves the rest away, thousands of typed models. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { KubeConfig, type User } from '@kubernetes/client-node';

/**
 * What these kubeconfigs hold, merged as kubectl does: of several entries of one name, and of several current contexts, the first counts.
 * @throws with the name of the file, when one cannot be read
 */
export async function mergedKubeconfigs(files: readonly string[]): Promise<KubeConfig> {
  const configs = await Promise.all(files.map(kubeconfigOf));
  const merged = new KubeConfig();
  merged.loadFromOptions({
    clusters: firstOfEachName(configs.flatMap(({ clusters }) => clusters)),
    users: firstOfEachName(configs.flatMap(({ users }) => users)),
    contexts: firstOfEachName(configs.flatMap(({ contexts }) => contexts)),
    currentContext: configs.find(({ currentContext }) => currentContext)?.currentContext ?? '',
  });
  return merged;
}

async function kubeconfigOf(file: string): Promise<KubeConfig> {
  const config = new KubeConfig();
  const folder = dirname(file);
  try {
    const text = await readFile(file, 'utf8');
    config.loadFromString(text);
    config.makePathsAbsolute(folder);
    config.users = await withTokenFiles(config.users, text, folder);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`kubeconfig ${file} cannot be used: ${why}`, { cause });
  }
  return config;
}

/** The library looks for `token-file`, and reads that once; what kubeconfigs have is `tokenFile`, whose token is rotated. */
async function withTokenFiles(users: User[], text: string, folder: string): Promise<User[]> {
  if (!text.includes('tokenFile')) return users;
  // Loaded here, because it takes 9 MB, and few need it.
  const { parse } = await import('yaml');
  const entries: readonly { readonly name?: string; readonly user?: { readonly tokenFile?: string } }[] =
    parse(text)?.users ?? [];
  return users.map((user) => {
    const tokenFile = entries.find(({ name }) => name === user.name)?.user?.tokenFile;
    if (tokenFile === undefined) return user;
    const { token: _, ...others } = user;
    return {
      ...others,
      authProvider: { name: 'tokenFile', config: { tokenFile: resolve(folder, tokenFile) } },
    };
  });
}

const firstOfEachName = <T extends { readonly name: string }>(entries: readonly T[]): T[] =>
  entries.filter(({ name }, index) => entries.findIndex((entry) => entry.name === name) === index);
