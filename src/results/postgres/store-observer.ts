/** Connections of a pool to the database. */
export interface PoolConnections {
  /** In use by a statement. */
  readonly busy: number;
  readonly idle: number;
  /** Callers that wait for one to become free. */
  readonly waiting: number;
}

/** Told of what callers of a store do not see; must not throw. */
export interface StoreObserver {
  /** The store is open; `connections` tells of its pool for statements whenever it is asked. */
  opened(connections: () => PoolConnections): void;
  /** A statement is tried again because other writers kept it from committing. `sqlstate` is the code that Postgres gave. */
  contended(sqlstate: string): void;
}
