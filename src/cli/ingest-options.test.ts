import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { UsageError } from './failure.ts';
import { type IngestFlags, ingestConfig, ingestOptions } from './ingest-options.ts';

const URL_OPTION = ['--result-ingest-url', 'https://ingest.batchtest.svc:8082'];

/** What these options come to; the text of what commander refuses is thrown. */
function configOf(...args: readonly string[]) {
  const command = ingestOptions(new Command('operator'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(args, { from: 'user' });
  return ingestConfig(command.opts<IngestFlags>());
}

describe('the options of the result ingest', () => {
  it('take nothing unless there is a URL', () => {
    expect(configOf()).toBeUndefined();
    expect(configOf('--result-ingest-port', '9000')).toBeUndefined();
  });

  it('have defaults for all but the URL', () => {
    expect(configOf(...URL_OPTION)).toEqual({
      url: 'https://ingest.batchtest.svc:8082/',
      host: undefined,
      port: 8_082,
      tls: undefined,
      caFile: undefined,
      limitBytes: 1_048_576,
    });
    expect(configOf(...URL_OPTION, '--result-ingest-host=')).toMatchObject({ host: undefined });
    expect(
      configOf(
        ...URL_OPTION,
        ...['--result-ingest-host', '::1', '--result-ingest-port', '0', '--result-limit', '4Mi'],
        ...['--result-ingest-tls-cert', 'c', '--result-ingest-tls-key', 'k', '--result-ingest-ca', 'a'],
      ),
    ).toMatchObject({
      ...{ host: '::1', port: 0, caFile: 'a', limitBytes: 4_194_304 },
      tls: { certFile: 'c', keyFile: 'k' },
    });
  });

  it.each([
    ['--result-ingest-tls-cert', 'c'],
    ['--result-ingest-ca', 'a'],
    [...URL_OPTION, '--result-ingest-tls-cert', 'c'],
    [...URL_OPTION, '--result-ingest-tls-key', 'k'],
    [
      '--result-ingest-url',
      'http://ingest:1',
      '--result-ingest-tls-cert',
      'c',
      '--result-ingest-tls-key',
      'k',
    ],
  ])('are refused when they do not fit together: %s %s %s %s', (...args) => {
    expect(() => configOf(...args)).toThrow(UsageError);
  });

  it.each(['ingest:8082', 'ftp://ingest', 'http://ingest/path', 'http://user@ingest', 'http://ingest?x=1'])(
    'refuse %s for a URL',
    (url) => {
      expect(() => configOf('--result-ingest-url', url)).toThrow('It must be http:// or https://');
    },
  );
});
