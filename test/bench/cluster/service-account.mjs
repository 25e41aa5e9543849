/**
 * Imported first by an operator that is measured: it reads its service account from the folder that SERVICE_ACCOUNT_FILES names instead of from where a pod
 * has it, and so has the access that it has in a pod. Reading a kubeconfig takes a library of 60 MB that a pod does not load.
 */
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const PLACE_IN_POD = '/var/run/secrets/kubernetes.io/serviceaccount/';
const { SERVICE_ACCOUNT_FILES } = process.env;
const { readFile } = promises;

promises.readFile = (file, ...rest) => {
  const isOfAccount = typeof file === 'string' && file.startsWith(PLACE_IN_POD);
  return readFile(isOfAccount ? join(SERVICE_ACCOUNT_FILES, file.slice(PLACE_IN_POD.length)) : file, ...rest);
};
syncBuiltinESMExports();
