/** The `file:` URI of an absolute POSIX path, in the one form that {@link canonicalFileUri} gives. */
export const fileUriOf = (path: string): string =>
  `file://${path.split('/').map(encodeURIComponent).join('/')}`;

/** The absolute path that a `file:` URI of this machine names; undefined for any other URI. */
export function pathOfFileUri(uri: string): string | undefined {
  if (!URL.canParse(uri)) return undefined;
  const { protocol, host, pathname, search, hash } = new URL(uri);
  if (protocol !== 'file:' || host !== '' || search !== '' || hash !== '') return undefined;
  try {
    const path = pathname.split('/').map(decodeURIComponent);
    return path.some((segment) => segment.includes('/') || segment.includes('\0'))
      ? undefined
      : path.join('/');
  } catch {
    return undefined;
  }
}

/** The URI in the one form that a file has; one that names no file of this machine as it is. */
export function canonicalFileUri(uri: string): string {
  const path = pathOfFileUri(uri);
  return path === undefined ? uri : fileUriOf(path);
}
