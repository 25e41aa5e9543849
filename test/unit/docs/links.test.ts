/** Links between the pages, and from them to files of the repository. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { expect, it } from 'vitest';
import { markdownPage, REPOSITORY } from '../../tools/markdown-page.ts';

const inFolder = (folder: string): readonly string[] =>
  readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') && !/(^|\/)(node_modules|\.venv)\//.test(path))
    .map((path) => join(folder, path));
const DOCS = inFolder('docs');
const ROOT = readdirSync(REPOSITORY).filter((path) => path.endsWith('.md'));
const PAGES = [...ROOT, ...DOCS, ...inFolder('examples'), ...inFolder('test')];

const isOfTheWorld = (link: string): boolean => /^[a-z]+:/.test(link);

/** The file or folder that a link of a page names, and the heading in it. */
function targetOf(page: string, link: string): { readonly path: string; readonly anchor: string } {
  const [file = '', anchor = ''] = link.split('#');
  return { path: file === '' ? page : join(dirname(page), file), anchor };
}

it.each(PAGES)('%s links to what exists', (page) => {
  const broken = markdownPage(page).links.filter((link) => {
    if (isOfTheWorld(link)) return false;
    const { path, anchor } = targetOf(page, link);
    if (!existsSync(join(REPOSITORY, path))) return true;
    return anchor !== '' && !markdownPage(path).anchors.has(anchor);
  });
  expect(broken).toEqual([]);
});

it('docs/README.md leads to every page, by its name or by its folder', () => {
  const linked = markdownPage('docs/README.md')
    .links.filter((link) => !isOfTheWorld(link))
    .map((link) => targetOf('docs/README.md', link).path);
  const isLinked = (page: string) =>
    linked.some((path) => path === page || (path.endsWith('/') && path !== 'docs/' && page.startsWith(path)));
  expect(DOCS.filter((page) => page !== 'docs/README.md' && !isLinked(page))).toEqual([]);
});
