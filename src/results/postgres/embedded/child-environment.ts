/**
 * The environment of `initdb`, the supervisor and the server. Nothing is inherited: variables such as PGPORT, PGTZ
 * or LD_LIBRARY_PATH change what Postgres does. UTC also saves `initdb` its search for the local time zone.
 */
export const CHILD_ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  LC_ALL: 'C',
  TZ: 'UTC',
} as const;
