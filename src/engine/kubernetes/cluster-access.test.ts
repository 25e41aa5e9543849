import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findClusterAccess, inClusterAccess, kubeconfigAccess } from './cluster-access.ts';

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'batchtest-access-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const kubeconfig = (name: string, user: object, cluster: object = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: `https://${name}.example.com:6443/`, ...cluster } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: `${name}-namespace` } }],
    'current-context': name,
  });

function aFile(name: string, text: string, folder = aFolder()): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

it('uses the service account of its pod, and reads it anew each time', async () => {
  const folder = aFolder();
  aFile('token', 'first\n', folder);
  aFile('ca.crt', 'authority', folder);
  aFile('namespace', 'team-a', folder);
  const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
  const access = await inClusterAccess(environment, folder);
  expect(access).toMatchObject({ server: 'https://[fd00::1]:443', namespace: 'team-a' });
  expect(await access.credentials()).toEqual({
    headers: { authorization: 'Bearer first' },
    tls: { ca: 'authority' },
  });
  aFile('token', 'second\n', folder);
  expect(await access.credentials()).toMatchObject({ headers: { authorization: 'Bearer second' } });
});

it('in a pod takes the kubeconfig of its user before the service account', async () => {
  const home = aFolder();
  const environment = { HOME: home, KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
  expect((await findClusterAccess({ environment })).server).toBe('https://10.0.0.1:443');
  mkdirSync(join(home, '.kube'));
  aFile('config', kubeconfig('dev', { token: 'secret' }), join(home, '.kube'));
  expect((await findClusterAccess({ environment })).server).toBe('https://dev.example.com:6443');
});

it('uses a token and a certificate authority of a kubeconfig', async () => {
  const ca = Buffer.from('authority').toString('base64');
  const file = aFile('config', kubeconfig('dev', { token: 'secret' }, { 'certificate-authority-data': ca }));
  const access = await kubeconfigAccess([file]);
  expect(access).toMatchObject({ server: 'https://dev.example.com:6443', namespace: 'dev-namespace' });
  expect(await access.credentials()).toEqual({
    headers: { authorization: 'Bearer secret' },
    tls: { ca: 'authority' },
  });
});

it('uses client certificates and passwords', async () => {
  const data = (text: string) => Buffer.from(text).toString('base64');
  const file = aFile(
    'config',
    kubeconfig('dev', {
      'client-certificate-data': data('certificate'),
      'client-key-data': data('key'),
      username: 'u',
      password: 'p',
    }),
  );
  const { headers, tls } = await (await kubeconfigAccess([file])).credentials();
  expect(tls).toMatchObject({ cert: 'certificate', key: 'key' });
  expect(headers).toEqual({ authorization: `Basic ${data('u:p')}` });
});

it('asks a credential plugin, and passes its words on when it fails', async () => {
  const folder = aFolder();
  const plugin = aFile(
    'plugin',
    '#!/bin/sh\ncat "$(dirname "$0")/credential" || { echo log in first >&2; exit 1; }\n',
    folder,
  );
  chmodSync(plugin, 0o755);
  const user = {
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' },
  };
  const access = await kubeconfigAccess([aFile('config', kubeconfig('dev', user), folder)]);
  await expect(access.credentials()).rejects.toThrow('log in first');
  aFile('credential', JSON.stringify({ kind: 'ExecCredential', status: { token: 'from-plugin' } }), folder);
  expect(await access.credentials()).toMatchObject({ headers: { authorization: 'Bearer from-plugin' } });
});

describe('the kubeconfigs of KUBECONFIG', () => {
  const found = (...files: readonly string[]) =>
    findClusterAccess({ environment: { KUBECONFIG: files.join(':') } });
  const a = () => aFile('a', kubeconfig('a', { token: 'a' }));
  const without = (text: string, key: string): string =>
    JSON.stringify({ ...JSON.parse(text), [key]: undefined });

  it('are merged, and the first current context counts', async () => {
    const b = aFile('b', kubeconfig('b', { token: 'b' }));
    expect(await found(a(), b)).toMatchObject({ namespace: 'a-namespace' });
    expect(await found(b, a())).toMatchObject({ namespace: 'b-namespace' });
    const contextless = aFile('c', without(kubeconfig('c', { token: 'c' }), 'current-context'));
    expect(await found(contextless, b)).toMatchObject({ namespace: 'b-namespace' });
    const elsewhere = aFile('d', JSON.stringify({ 'current-context': 'd' }));
    await expect(found(elsewhere, a(), b)).rejects.toThrow(/no context "d".*it has a, b/);
  });

  it('may have entries of one name, of which the first counts', async () => {
    const other = aFile(
      'other',
      kubeconfig('a', { token: 'other' }, { server: 'https://other.example.com' }),
    );
    const access = await found(a(), other);
    expect(access.server).toBe('https://a.example.com:6443');
    expect(await access.credentials()).toMatchObject({ headers: { authorization: 'Bearer a' } });
  });

  it('need not all be there, but one', async () => {
    const missing = join(aFolder(), 'missing');
    expect(await found(missing, a())).toMatchObject({ namespace: 'a-namespace' });
    await expect(found(missing)).rejects.toThrow(`kubeconfig ${missing} cannot be used: ENOENT`);
  });
});

it('uses the token in a file that a kubeconfig names, from the folder of the kubeconfig', async () => {
  const folder = aFolder();
  aFile('the-token', 'from-file\n', folder);
  const user = { token: 'of-then', tokenFile: 'the-token' };
  const access = await kubeconfigAccess([aFile('config', kubeconfig('dev', user), folder)]);
  expect(await access.credentials()).toMatchObject({ headers: { authorization: 'Bearer from-file' } });
});

it('falls back on the kubeconfig in the home directory', async () => {
  const HOME = aFolder();
  mkdirSync(join(HOME, '.kube'));
  aFile('config', kubeconfig('home', { token: 'h' }), join(HOME, '.kube'));
  expect(await findClusterAccess({ environment: { HOME } })).toMatchObject({ namespace: 'home-namespace' });
});

it.each([
  ['a file that is not there', undefined, 'cannot be used'],
  ['plain http', { server: 'http://dev.example.com' }, 'https://'],
  ['a proxy', { 'proxy-url': 'socks5://x' }, 'proxy-url'],
])('refuses %s', async (_, cluster, message) => {
  const folder = aFolder();
  const file =
    cluster === undefined ? join(folder, 'none') : aFile('config', kubeconfig('dev', {}, cluster), folder);
  await expect(kubeconfigAccess([file])).rejects.toThrow(message);
});
