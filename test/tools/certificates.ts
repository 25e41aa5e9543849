import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Paths of PEM files. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** An authority that no system trusts, made for one test. */
export interface CertificateAuthority {
  readonly certFile: string;
  /** A certificate for this common name and these further names, such as `DNS:localhost`. */
  issue(commonName: string, names?: readonly string[]): Promise<Certificate>;
}

/** Makes an authority by `openssl`, whose files are in the directory under its name. */
export async function createAuthority(directory: string, name: string): Promise<CertificateAuthority> {
  const at = (file: string) => join(directory, `${name}-${file}`);
  const openssl = (...args: readonly string[]) =>
    promisify(execFile)('openssl', [...args], { cwd: directory });
  const newKey = ['-newkey', 'rsa:2048', '-nodes'];
  const [certFile, keyFile] = [at('ca.crt'), at('ca.key')];
  const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE'];
  await openssl(
    ...['req', '-x509', ...newKey, '-subj', `/CN=${name}`, ...extensions],
    ...['-days', '2', '-keyout', keyFile, '-out', certFile],
  );
  return {
    certFile,
    async issue(commonName, names = []) {
      const issued = { certFile: at(`${commonName}.crt`), keyFile: at(`${commonName}.key`) };
      const request = at(`${commonName}.csr`);
      await openssl(
        ...['req', '-new', ...newKey, '-subj', `/CN=${commonName}`],
        ...['-keyout', issued.keyFile, '-out', request],
      );
      const extensionFile = at(`${commonName}.ext`);
      await writeFile(extensionFile, names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`);
      await openssl(
        ...['x509', '-req', '-in', request, '-CA', certFile, '-CAkey', keyFile, '-CAcreateserial'],
        ...['-extfile', extensionFile, '-days', '2', '-out', issued.certFile],
      );
      return issued;
    },
  };
}
