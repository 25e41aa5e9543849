/** A part of a bucket. */
export interface S3Location {
  readonly bucket: string;
  /** What the keys begin with; ends with a slash unless it is empty. */
  readonly prefix: string;
}

const BUCKET = '[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]';
const LOCATION = new RegExp(`^s3://(${BUCKET})(?:/(.*))?$`);
const OBJECT = new RegExp(`^s3://(${BUCKET})/(.+)$`, 's');

/** The location that `s3://bucket` or `s3://bucket/prefix` names; undefined when it names none. */
export function s3LocationOf(text: string): S3Location | undefined {
  const [, bucket, prefix = ''] = LOCATION.exec(text) ?? [];
  if (bucket === undefined || hasDots(prefix)) return undefined;
  const trimmed = prefix.replace(/\/+$/, '');
  return { bucket, prefix: trimmed === '' ? '' : `${trimmed}/` };
}

/** The key of an object of the location that a URI names; undefined when it names none of them. Keys are meant literally. */
export function keyIn({ bucket, prefix }: S3Location, uri: string): string | undefined {
  const [, named, key] = OBJECT.exec(uri) ?? [];
  // A server may take the dots of a path for what they mean in one.
  return named === bucket && key?.startsWith(prefix) === true && !hasDots(key) ? key : undefined;
}

const hasDots = (key: string): boolean =>
  key.split('/').some((segment) => segment === '.' || segment === '..');
