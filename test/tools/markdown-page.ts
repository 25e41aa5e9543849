/** A page of the documentation, as far as tests ask about it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import GithubSlugger from 'github-slugger';
import { Lexer, type Token, walkTokens } from 'marked';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

export interface CodeBlock {
  /** Such as `sh`. */
  readonly language: string;
  /** The file that the block is, when its first line names one after the language. */
  readonly file: string | undefined;
  readonly text: string;
  /** The headings that it is under, the outermost first. */
  readonly headings: readonly string[];
}

export interface MarkdownPage {
  readonly blocks: readonly CodeBlock[];
  /** What `#…` may name, as GitHub makes it of the headings. */
  readonly anchors: ReadonlySet<string>;
  /** Targets of links and images, as they are written. */
  readonly links: readonly string[];
}

/** Reads a page. @param path relative to the repository's root */
export function markdownPage(path: string): MarkdownPage {
  const blocks: CodeBlock[] = [];
  const anchors = new Set<string>();
  const links: string[] = [];
  const slugger = new GithubSlugger();
  let headings: readonly string[] = [];
  const visit = (token: Token): void => {
    if (token.type === 'heading') {
      headings = [...headings.slice(0, token.depth - 1), token.text];
      anchors.add(slugger.slug(token.text));
    } else if (token.type === 'code') {
      const [language = '', file] = (token.lang ?? '').split(' ');
      blocks.push({ language, file, text: `${token.text}\n`, headings });
    } else if (token.type === 'link' || token.type === 'image') {
      links.push(token.href);
    }
  };
  walkTokens(new Lexer().lex(readFileSync(join(REPOSITORY, path), 'utf8')), visit);
  return { blocks, anchors, links };
}

/** The blocks under a heading, and under those below it. */
export function blocksUnder({ blocks }: MarkdownPage, heading: string): readonly CodeBlock[] {
  const found = blocks.filter(({ headings }) => headings.includes(heading));
  if (found.length === 0) throw new Error(`there is no code under a heading "${heading}"`);
  return found;
}
