/**
 * Secrets that tests plant where users have some, and look for where they must not be. Every operator of a test has a password in the URL of its database,
 * secrets in its environment, and programs with a secret and with results; so each test of an operator is one of this as well.
 */
export const CANARY = {
  databasePassword: 'canary-of-the-database-url',
  operatorEnvironment: 'canary-of-the-environment-of-the-operator',
  s3Secret: 'canary-of-the-s3-credentials',
  podEnvironment: 'canary-of-the-environment-of-a-pod',
  /** In what a program reported beside its metrics. */
  outputs: 'canary-of-the-outputs-of-a-result',
} as const;

/** Any canary, as a test may plant further ones, and what begins as every signed token of a service account does. */
const SECRETS = /canary-of-[a-z0-9-]+|eyJhbGciOi[\w-]+\.[\w-]{8}/g;

/** Each secret that a text holds, with where that is. */
export const secretsIn = (place: string, text: string): readonly string[] =>
  [...new Set(text.match(SECRETS) ?? [])].map((secret) => `${secret} in ${place}`);
