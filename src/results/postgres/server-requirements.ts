/** What a database server says of itself and of the database that is connected to. */
export interface ServerFacts {
  /** As a person reads it, such as `13.4 (Debian 13.4-1)`. */
  readonly version: string;
  /** As it is compared, such as 130004. */
  readonly versionNumber: number;
  /** Of the texts in the database, such as `UTF8`. */
  readonly encoding: string;
}

/** Something that results need and a server does not have. */
export interface UnmetRequirement {
  /** One CamelCase word. */
  readonly reason: string;
  readonly message: string;
}

/** The first version that knows all that the migrations use, such as a function whose body is an expression. */
const OLDEST_VERSION_NUMBER = 140_000;

/** Any other refuses characters that it lacks, whenever the result that has them is tried again. SQL_ASCII keeps what it is sent, which is UTF-8. */
const FIT_ENCODINGS: readonly string[] = ['UTF8', 'SQL_ASCII'];

/** Why results cannot be kept in a database, and what to do; undefined when they can. */
export function unmetRequirement({
  version,
  versionNumber,
  encoding,
}: ServerFacts): UnmetRequirement | undefined {
  if (versionNumber < OLDEST_VERSION_NUMBER)
    return {
      reason: 'ServerTooOld',
      message: `the database server is PostgreSQL ${version}, and results need 14 or later. Upgrade it, or use another`,
    };
  if (!FIT_ENCODINGS.includes(encoding))
    return {
      reason: 'EncodingNotUtf8',
      message: `the encoding of the database is ${encoding}, which lacks characters that results may have. Use one made by "create database … template template0 encoding 'UTF8'"`,
    };
  return undefined;
}
