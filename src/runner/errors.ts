/** The cluster cannot be reached, or refuses what was asked of it. */
export class ClusterUnavailableError extends Error {
  override readonly name = 'ClusterUnavailableError';
}

/** Another BatchTest of this name is there and must not be touched. */
export class NameInUseError extends Error {
  override readonly name = 'NameInUseError';
}

/** There is no run of that name or UID, or it is not in a state in which it can be what was asked for: over already, or not over. */
export class NoSuchRunError extends Error {
  override readonly name = 'NoSuchRunError';
}

/** The manifest needs what only a cluster has. The message has one line per field. */
export class UnsupportedLocallyError extends Error {
  override readonly name = 'UnsupportedLocallyError';
}

/** A run was cancelled before there was anything of it: nothing was created or started. */
export class RunNotBegunError extends Error {
  override readonly name = 'RunNotBegunError';
}

/** The run that was to be resumed is not there, is over, is being run by another process, or is a run of something else. */
export class RunNotResumableError extends Error {
  override readonly name = 'RunNotResumableError';
}

/** Another process has a local run by now, as it may once the database was away: this one has ended its programs, and what was stored stays. */
export class RunTakenOverError extends Error {
  override readonly name = 'RunTakenOverError';
}

/** Data that a manifest shares with its trials is not there, or cannot be read. The message has one line per entry. */
export class SharedDataError extends Error {
  override readonly name = 'SharedDataError';
}
