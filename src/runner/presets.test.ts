import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { presets, userDataDirectory } from './presets.ts';
import type { ResultStoreConfig } from './runner-config.ts';

const URL_OF_DATABASE = 'postgres://somebody@example.com/results';

/** What docs/reference/typescript.md says of a configuration's field, for the configurations that a preset gives with and without DATABASE_URL. */
function documented(field: string, plain: object, withDatabase: object): string {
  const [value, other] = [plain, withDatabase].map((config) => new Map(Object.entries(config)).get(field));
  if (!Object.hasOwn(plain, field)) return '–';
  switch (field) {
    case 'store':
      return storeText(value, other, plain);
    case 'dataDirectory':
      return value === userDataDirectory({}) ? "the user's directory" : newDirectoryText(value);
    case 'manifestDirectory':
      return value === process.cwd() ? 'the working directory' : String(value);
    case 'kubeconfig':
      return value === undefined
        ? 'undefined: `KUBECONFIG`, `~/.kube/config`, the service account'
        : String(value);
    case 'namespace':
      return value === undefined ? "undefined: that of the kubeconfig's context" : String(value);
    default:
      return `\`${String(value)}\``;
  }
}

function storeText(plain: ResultStoreConfig, withDatabase: ResultStoreConfig, config: object): string {
  if (plain.kind !== 'embedded') return JSON.stringify(plain);
  const ownDirectory = new Map(Object.entries(config)).get('dataDirectory');
  const place = plain.dataDirectory === ownDirectory ? '`dataDirectory`' : "the user's directory";
  if (place !== '`dataDirectory`') expect(plain.dataDirectory).toBe(userDataDirectory({}));
  if (withDatabase.kind === 'embedded') return `embedded in ${place}`;
  expect(withDatabase).toEqual({ kind: 'database', url: URL_OF_DATABASE });
  return `\`DATABASE_URL\`, else embedded in ${place}`;
}

function newDirectoryText(path: string): string {
  expect(path.startsWith(tmpdir())).toBe(true);
  return 'a new temporary directory';
}

it.each([presets.localDevelopment, presets.production])(
  'reads the URL from the file that DATABASE_URL_FILE names, unless DATABASE_URL is set',
  (preset) => {
    const inFile = { DATABASE_URL_FILE: '/secret/url' };
    expect(preset(inFile).store).toEqual({ kind: 'databaseFile', path: '/secret/url' });
    expect(preset({ ...inFile, DATABASE_URL: URL_OF_DATABASE }).store).toEqual({
      kind: 'database',
      url: URL_OF_DATABASE,
    });
  },
);

it('sets what the table of docs/reference/typescript.md says', () => {
  const text = readFileSync(new URL('../../docs/reference/typescript.md', import.meta.url), 'utf8');
  const [, table = ''] = /\| sets .*\n\|---.*\n([\s\S]*?)\n\n/.exec(text) ?? [];
  const rows = table.split('\n').map((line) => line.slice(2, -2).split(' | '));
  const environment = { DATABASE_URL: URL_OF_DATABASE };
  const testing = [presets.testing(), presets.testing()] as const;
  try {
    const pairs = [
      [presets.localDevelopment({}), presets.localDevelopment(environment)],
      testing,
      [presets.production({}), presets.production(environment)],
    ] as const;
    const fields = [...new Set(pairs.flatMap(([plain]) => Object.keys(plain)))];
    expect(rows.map(([field = '']) => field.replaceAll('`', '')).toSorted()).toEqual(fields.toSorted());
    for (const [field = '', ...cells] of rows)
      expect(cells).toEqual(
        pairs.map(([plain, withDatabase]) => documented(field.replaceAll('`', ''), plain, withDatabase)),
      );
  } finally {
    for (const { dataDirectory } of testing) rmSync(dataDirectory, { recursive: true });
  }
});
