import {
  type Alias,
  Composer,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  type LineCounter,
  type Node,
  type Pair,
  Parser,
  type Scalar,
  visit,
  type YAMLParseError,
} from 'yaml';
import * as wording from './manifest-wording.ts';

/** A mistake in the text, at an offset in UTF-16 code units. */
export interface TextProblem {
  readonly offset: number;
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Where something is in the text. */
export interface DocumentPlace {
  readonly offset: number;
  /** How the text spells the scalar that is there. */
  readonly spelling: string | undefined;
}

/** A YAML or JSON document of plain values that remembers where each of them was. */
export interface ManifestDocument {
  readonly value: unknown;
  /** Of the value at the path, or of what holds it when there is none. */
  placeOf(path: readonly PropertyKey[]): DocumentPlace;
  /** Of the name of a field. */
  placeOfName(path: readonly PropertyKey[]): DocumentPlace;
}

export type DocumentResult =
  | { readonly ok: true; readonly document: ManifestDocument }
  | { readonly ok: false; readonly problems: readonly TextProblem[] };

/** An API server's limit on the size of a request: of the file, and of what it holds once its aliases are filled in. */
const MAX_MEBIBYTES = 3;
/** A pod template is some 15 levels deep. The YAML composer recurses, and a deep recursion ends the process. */
const MAX_DEPTH = 200;
/** For the value of each, the library looks through all before it: with so many it takes a fraction of a second. */
const MAX_ALIASES = 10_000;

/** Words that are text in YAML 1.2 but not in YAML 1.1, which kubectl follows: a manifest that has them without quotes would mean something else in the cluster. */
const WORD_IN_YAML_1_1 = /^(y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/;

/** What kubectl takes for a number, as Go reads it: in any base, of either sign, once the underscores are out of it where it does not begin with a point. */
const NUMBER_FOR_KUBECTL =
  /^[-+]?(0b[01]+|0o[0-7]+|0x[0-9a-f]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)(e[-+]?[0-9]+)?)$/i;
const FRACTION_FOR_KUBECTL = /^\.[0-9]+(_[0-9]+)*(e[-+]?[0-9]+(_[0-9]+)*)?$/i;

/** Of a scalar without quotes that is text in YAML 1.2. */
function isTextInYaml11(source: string): boolean {
  if (source.startsWith('.')) return !FRACTION_FOR_KUBECTL.test(source);
  if (/^[-+0-9]/.test(source)) return !NUMBER_FOR_KUBECTL.test(source.replaceAll('_', ''));
  return !WORD_IN_YAML_1_1.test(source);
}

/** Integers that are decimal in YAML 1.2 and octal in YAML 1.1. */
const OCTAL_IN_YAML_1_1 = /^[-+]?0[0-9]+$/;

/** Reads the one document in a text: YAML 1.2 core with merge keys (as kubectl has them), or JSON. */
export function readDocument(text: string, lines: LineCounter): DocumentResult {
  lines.addNewLine(0);
  if (Buffer.byteLength(text) > MAX_MEBIBYTES * 2 ** 20) return failed(0, wording.tooLarge(MAX_MEBIBYTES));
  const tokens = tokenize(text, lines);
  if ('offset' in tokens) return failed(tokens.offset, wording.nestedTooDeeply(MAX_DEPTH));

  const documents = [...new Composer({ merge: true, prettyErrors: false }).compose(tokens)];
  const syntax = documents.flatMap((document) => syntaxProblems(text, document));
  if (syntax.length > 0) return { ok: false, problems: syntax };

  const [document, second, ...others] = documents.filter((candidate) => !isEmpty(candidate));
  if (document === undefined) return failed(0, wording.emptyFile);
  if (second !== undefined) return failed(startOf(second), wording.severalDocuments(2 + others.length));

  const targets = aliasTargets(document);
  if (targets.size > MAX_ALIASES) return failed(startOf(document), wording.tooManyAliases(MAX_ALIASES));
  const { size, depth } = extentOf(document.contents, targets);
  if (size > MAX_MEBIBYTES * 2 ** 20)
    return failed(startOf(document), wording.tooLargeWithAliases(MAX_MEBIBYTES));
  if (depth > MAX_DEPTH) return failed(startOf(document), wording.nestedTooDeeply(MAX_DEPTH));
  const misleading = misleadingNodes(document, targets);
  if (misleading.length > 0) return { ok: false, problems: misleading };
  return { ok: true, document: manifestDocument(document, targets) };
}

function failed(offset: number, message: string): DocumentResult {
  return { ok: false, problems: [{ offset, path: [], message }] };
}

function tokenize(text: string, lines: LineCounter) {
  const parser = new Parser(lines.addNewLine);
  const tokens = [];
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > MAX_DEPTH) return { offset: parser.offset };
  }
  tokens.push(...parser.end());
  return tokens;
}

// After a first mistake in the structure, what follows is misread; a field given twice misleads nothing.
function syntaxProblems(text: string, document: Document): TextProblem[] {
  const isRepeatedField = ({ code }: YAMLParseError): boolean => code === 'DUPLICATE_KEY';
  const mistake = [...document.errors, ...document.warnings].find((error) => error.code !== 'DUPLICATE_KEY');
  const reported = mistake === undefined ? document.errors.filter(isRepeatedField) : [mistake];
  return reported.map(({ code, message, pos }) => ({
    offset: pos[0],
    path: [],
    message: syntaxMessage(code, message, text, pos),
  }));
}

function syntaxMessage(
  code: string,
  message: string,
  text: string,
  [start]: readonly [number, number],
): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return wording.tabIndentation;
    case 'DUPLICATE_KEY':
      return wording.repeatedField(text.slice(start).match(/^["']?([^"':\s]+)/)?.[1] ?? '');
    default:
      return wording.invalidYaml(message.split('\n')[0] ?? code);
  }
}

function isEmpty(document: Document): boolean {
  return document.contents === null || (isScalar(document.contents) && document.contents.value === null);
}

function startOf(document: Document): number {
  return document.contents?.range?.[0] ?? document.range?.[0] ?? 0;
}

/** What each alias stands for. */
type AliasTargets = ReadonlyMap<Alias, Node>;

/** The last node before an alias that has its anchor. For each of them alone, the library goes through the whole document. */
function aliasTargets(document: Document): AliasTargets {
  const anchored = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node(_key, node) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchored.set(node.anchor, node);
        return;
      }
      const target = anchored.get(node.source);
      if (target !== undefined) targets.set(node, target);
    },
  });
  return targets;
}

/** The node itself, or what it stands for; undefined for an alias of nothing. */
const resolved = (node: unknown, targets: AliasTargets): unknown =>
  isAlias(node) ? targets.get(node) : node;

interface Extent {
  /** What it takes as JSON at least, in UTF-16 code units. */
  readonly size: number;
  /** Levels of lists and objects. */
  readonly depth: number;
}

const NOTHING: Extent = { size: 0, depth: 0 };

/**
 * How much a node comes to with its aliases filled in.
 * @param known of nodes with anchors, which are looked at once however often they are repeated
 */
function extentOf(node: unknown, targets: AliasTargets, known = new Map<unknown, Extent>()): Extent {
  const source = resolved(node, targets);
  const before = known.get(source);
  if (before !== undefined) return before;
  // Of one that is within itself, which has no end, misleadingNodes tells.
  if (hasAnchor(source)) known.set(source, NOTHING);
  let size = isScalar(source) ? 1 + (source.source ?? '').length : isCollection(source) ? 1 : 0;
  let depth = 0;
  for (const part of partsOf(source)) {
    const extent = extentOf(part, targets, known);
    size += extent.size;
    depth = Math.max(depth, extent.depth);
  }
  const extent = { size, depth: isCollection(source) ? depth + 1 : depth };
  if (hasAnchor(source)) known.set(source, extent);
  return extent;
}

const hasAnchor = (node: unknown): boolean => isNode(node) && node.anchor !== undefined;

function partsOf(node: unknown): readonly unknown[] {
  if (isCollection(node)) return node.items;
  return isPair(node) ? [node.key, node.value] : [];
}

function manifestDocument(document: Document, targets: AliasTargets): ManifestDocument {
  return {
    // What it comes to is bounded already.
    value: document.toJS({ maxAliasCount: -1 }),
    placeOf: (path) => {
      const { name, value } = nodesAt(document, targets, path);
      // A block begins on the line after its name, with its first entry; a reader looks for the name.
      return placeOf(isCollection(value) && !value.flow ? name : value, document);
    },
    placeOfName: (path) => placeOf(nodesAt(document, targets, path).name, document),
  };
}

/** Problems with nodes that are valid YAML, but stand for nothing or for something else than they seem to. */
function misleadingNodes(document: Document, targets: AliasTargets): TextProblem[] {
  const problems: TextProblem[] = [];
  visit(document, {
    Alias(_key, node, ancestors) {
      const target = targets.get(node);
      // An anchor comes before its aliases, so that every cycle has an alias within what it stands for.
      if (target === undefined)
        problems.push(problemAt(node, ancestors, wording.aliasWithoutAnchor(node.source)));
      else if (ancestors.includes(target))
        problems.push(problemAt(node, ancestors, wording.aliasWithinItself(node.source)));
    },
    Pair(_key, pair, ancestors) {
      const { key, value } = pair;
      if (isNode(key) && isCollection(resolved(key, targets)))
        problems.push(problemAt(key, ancestors, wording.collectionAsName));
      if (isMergeKey(key) && !isMergeable(value, targets))
        problems.push(problemAt(isNode(value) ? value : key, [...ancestors, pair], wording.nothingToMerge));
    },
    Scalar(key, node, ancestors) {
      const { source, type, value } = node;
      // JavaScript objects have a property of this name, which would take the field in.
      if (key === 'key' && value === '__proto__')
        problems.push(problemAt(node, ancestors, wording.forbiddenName('__proto__')));
      if (type === 'PLAIN' && typeof value === 'string' && !isTextInYaml11(source ?? ''))
        problems.push(problemAt(node, ancestors, wording.readDifferentlyByKubectl(value)));
      if (type === 'PLAIN' && typeof value === 'number' && OCTAL_IN_YAML_1_1.test(source ?? ''))
        problems.push(problemAt(node, ancestors, wording.octalForKubectl(source ?? '')));
    },
  });
  return problems;
}

// The composer makes a symbol of the key, so that a quoted "<<" is a name like any other.
const isMergeKey = (key: unknown): key is Scalar<symbol> => isScalar(key) && typeof key.value === 'symbol';

/** True for an object, for a list of them, and for what is an alias of either. */
function isMergeable(value: unknown, targets: AliasTargets): boolean {
  const source = resolved(value, targets);
  return isMap(source) || (isSeq(source) && source.items.every((item) => isMap(resolved(item, targets))));
}

function problemAt(node: Node, ancestors: readonly unknown[], message: string): TextProblem {
  return { offset: node.range?.[0] ?? 0, path: pathOf([...ancestors, node]), message };
}

function pathOf(nodes: readonly unknown[]): PropertyKey[] {
  return nodes.flatMap((node, index): PropertyKey[] => {
    const parent = nodes[index - 1];
    if (isPair(node)) return [nameOf(node)];
    if (isSeq(parent)) return [parent.items.indexOf(node)];
    return [];
  });
}

function nameOf(pair: Pair): string {
  if (isMergeKey(pair.key)) return '<<';
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

/** The nodes of the value at a path and of its name in the object that has it; those of the nearest holder if it has none. */
function nodesAt(
  document: Document,
  targets: AliasTargets,
  path: readonly PropertyKey[],
): { readonly name: unknown; readonly value: unknown } {
  let name: unknown = document.contents;
  let value: unknown = document.contents;
  for (const part of path) {
    const holder = resolved(value, targets);
    if (isMap(holder)) {
      const pair = holder.items.find((item) => nameOf(item) === String(part));
      if (pair === undefined) break;
      name = pair.key;
      value = pair.value ?? pair.key;
    } else if (isSeq(holder) && typeof part === 'number' && holder.items.length > part) {
      value = holder.items[part];
      name = value;
    } else break;
  }
  return { name, value };
}

function placeOf(node: unknown, document: Document): DocumentPlace {
  if (!isNode(node)) return { offset: startOf(document), spelling: undefined };
  return { offset: node.range?.[0] ?? startOf(document), spelling: isScalar(node) ? node.source : undefined };
}
