import { Lexer, type Token } from 'marked';
import { expect, it } from 'vitest';
import { batchTestStructuralSchema } from '../src/api/v1alpha1/crd.ts';
import type { StructuralSchema } from '../src/api/v1alpha1/structural-schema.ts';
import { resourceReference } from './resource-reference.ts';

/** Paths of all fields of a schema, of entries of lists as well. The inside of the template is Kubernetes' own. */
function pathsOf(schema: StructuralSchema, path: string): readonly string[] {
  if (path === 'spec.template') return [];
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
    `${path}.${name}`,
    ...pathsOf(field, `${path}.${name}`),
  ]);
  return schema.items === undefined ? below : [...below, ...pathsOf(schema.items, `${path}[]`)];
}

/** Paths that the tables have a row for: the heading's and the row's. */
function documentedPaths(tokens: readonly Token[]): readonly string[] {
  let heading = '';
  return tokens.flatMap((token) => {
    if (token.type === 'heading') heading = token.text;
    if (token.type !== 'table' || !/^(spec|status)/.test(heading)) return [];
    return token.rows.map(([cell]: readonly [{ readonly text: string }]) => {
      const [, field] = /`(.+)`/.exec(cell.text) ?? [];
      return `${heading}.${field}`;
    });
  });
}

const { spec = {}, status = {} } = batchTestStructuralSchema().properties ?? {};

it('has a row for every field, and no other', () => {
  const lists = ['spec.sharedData', 'spec.variants', 'status.conditions'];
  const written = documentedPaths(new Lexer().lex(resourceReference())).map((path) => {
    const list = lists.find((one) => path.startsWith(`${one}.`));
    return list === undefined ? path : path.replace(list, `${list}[]`);
  });
  expect([...written].sort()).toEqual([...pathsOf(spec, 'spec'), ...pathsOf(status, 'status')].sort());
});

it('tells default, limits and rules beside the field that they are of', () => {
  const lineOf = (start: string) =>
    resourceReference()
      .split('\n')
      .find((line) => line.startsWith(start));
  expect(lineOf('| `parallelism` |')).toMatch(
    /^\| `parallelism` \| integer \| `1` \| .*<br>0 to 10000\. \|$/,
  );
  expect(lineOf('| `gates[].min` |')).toContain('Rule: min must not be more than max.');
  expect(lineOf('| `tieBreak` |')).toContain('Rule: must be a metric of the objective.');
  expect(lineOf('| `rules[].onExitCodes.operator` |')).toContain('Required. `In`, `NotIn`.');
});
