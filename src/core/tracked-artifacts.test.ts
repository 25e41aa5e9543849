import { describe, expect, it } from 'vitest';
import type { CollectedArtifacts } from './attempt.ts';
import { canonicalFileUri, fileUriOf, pathOfFileUri } from './file-uri.ts';
import { trackedArtifacts } from './tracked-artifacts.ts';

const DIRECTORY = 'file:///runs/1/artifacts/a/';
const aFile = (path: string, digit = 'a') => ({
  path,
  uri: DIRECTORY + path.split('/').map(encodeURIComponent).join('/'),
  sha256: digit.repeat(64),
  size: 3,
  mediaType: 'text/plain',
});
const collected = (...paths: string[]): Extract<CollectedArtifacts, { kind: 'Files' }> => ({
  kind: 'Files',
  directory: DIRECTORY,
  files: paths.map((path) => aFile(path)),
});
const { path: _, ...FILE } = aFile('out.txt');

describe('the artifacts of a result', () => {
  it('are those that it names where nothing is collected', () => {
    const reported = [{ name: 'trace', uri: 'out.txt' }];
    expect(trackedArtifacts(reported, undefined)).toEqual(reported);
  });

  it('are all files that were left, by their paths, when it names none', () => {
    expect(trackedArtifacts([], collected('a b/x.txt', 'out.txt'))).toEqual([
      { ...FILE, name: 'a b/x.txt', uri: `${DIRECTORY}a%20b/x.txt` },
      { ...FILE, name: 'out.txt' },
    ]);
  });

  it.each(['out.txt', './out.txt', `${DIRECTORY}out.txt`, `${DIRECTORY}%6fut.txt`])(
    'has a file that it names %s once, under its name, with what it does not say of it',
    (uri) => {
      expect(trackedArtifacts([{ name: 'trace', uri }], collected('out.txt'))).toEqual([
        { ...FILE, name: 'trace' },
      ]);
    },
  );

  it('keeps what it says of a file, right or wrong', () => {
    const said = { sha256: 'b'.repeat(64), size: 4 };
    expect(trackedArtifacts([{ name: 'trace', uri: 'out.txt', ...said }], collected('out.txt'))).toEqual([
      { ...FILE, ...said, name: 'trace' },
    ]);
  });

  it('keeps one that it names and that is not there, and one that is elsewhere', () => {
    expect(
      trackedArtifacts(
        [
          { name: 'gone', uri: 'gone?.txt' },
          { name: 'far', uri: 's3://bucket/key' },
          { name: 'out', uri: '../out.txt' },
        ],
        collected(),
      ),
    ).toEqual([
      { name: 'gone', uri: `${DIRECTORY}gone%3F.txt` },
      { name: 'far', uri: 's3://bucket/key' },
      { name: 'out', uri: `${DIRECTORY}../out.txt` },
    ]);
  });

  it.each(['caf\udce9.txt', './caf\udce9.txt', `${DIRECTORY}caf\udce9.txt`])(
    'may be named %j, with half of a surrogate pair: it becomes what it is stored as',
    (uri) => {
      expect(trackedArtifacts([{ name: 'x', uri }], collected('out.txt'))).toEqual([
        { name: 'x', uri: `${DIRECTORY}caf%EF%BF%BD.txt` },
        { ...FILE, name: 'out.txt' },
      ]);
    },
  );

  it('tells a file from another that has its path for a name', () => {
    expect(trackedArtifacts([{ name: 'out.txt', uri: 's3://bucket/key' }], collected('out.txt'))).toEqual([
      { name: 'out.txt', uri: 's3://bucket/key' },
      { ...FILE, name: FILE.uri },
    ]);
  });
});

describe('the URI of a file', () => {
  it.each(['/a/b.txt', '/a b/ü/100%/#?.txt', "/it's (x)@y+z,w:1"])('of %s names it', (path) => {
    expect(pathOfFileUri(fileUriOf(path))).toBe(path);
    expect(canonicalFileUri(`file://${encodeURI(path).replaceAll('#', '%23').replaceAll('?', '%3F')}`)).toBe(
      fileUriOf(path),
    );
  });

  it.each([
    'file://host/x',
    'http://x/y',
    'x',
    'file:///a%2Fb',
    'file:///a%00',
    'file:///%zz',
    'file:///a?b',
  ])('%s names no file of this machine', (uri) => {
    expect(pathOfFileUri(uri)).toBeUndefined();
  });
});
