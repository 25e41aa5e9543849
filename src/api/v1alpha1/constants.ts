/** The API group of every object and label of this project. */
export const GROUP = 'batchtest.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;
export const KIND = 'BatchTest';
export const PLURAL = 'batchtests';

/** Labels of a trial's Job and pod. Set by the operator after merging the template, so that a template cannot forge them. */
export const LABEL_RUN_UID = `${GROUP}/run-uid`;
export const LABEL_VARIANT_ID = `${GROUP}/variant-id`;
export const LABEL_REPETITION = `${GROUP}/repetition`;
export const LABEL_ATTEMPT = `${GROUP}/attempt`;

/** Keeps a BatchTest from going before its run is over in the result store. */
export const FINALIZER = `${GROUP}/results`;

/** Carries the variant's true name, which may hold characters that a label value may not. */
export const ANNOTATION_VARIANT_NAME = `${GROUP}/variant-name`;

/** Condition types of `status.conditions`. */
export const ConditionType = {
  /** True while trials are started and results recorded. */
  Progressing: 'Progressing',
  /** True when every trial of every variant succeeded. */
  Complete: 'Complete',
  /** True when the run ended and did not complete; the reason says why. */
  Failed: 'Failed',
  /** True while the run is suspended: nothing of it runs, and nothing starts. */
  Suspended: 'Suspended',
  /** True when the run was ended by its user before it was complete. */
  Cancelled: 'Cancelled',
  /** False while results cannot be stored; no new trial starts then. */
  ResultStoreAvailable: 'ResultStoreAvailable',
} as const;

/** The run is over when one of these is True, and stays so. */
export const FINAL_CONDITIONS = [
  ConditionType.Complete,
  ConditionType.Failed,
  ConditionType.Cancelled,
] as const;

/** Caps that are checked before a matrix is expanded, here and by CEL in the CRD. */
export const Limits = {
  /** Explicit variants live in the object, whose size etcd bounds at 1.5 MiB. */
  explicitVariants: 1_000,
  matrixParameters: 8,
  valuesPerMatrixParameter: 256,
  matrixExclusions: 256,
  parametersPerVariant: 32,
  /** Characters in one parameter value. */
  parameterValueLength: 1_024,
  /** Explicit variants plus the product of the matrix, before exclusions. */
  variants: 10_000,
  repetitions: 1_000,
  /** Variants times repetitions. */
  trials: 100_000,
  parallelism: 10_000,
  objectiveMetrics: 16,
  /** Two per metric of the objective: one against the baseline, one against the previous run. */
  gates: 32,
  /** At which variants may be stopped early. */
  looks: 20,
  /** Entries of `local.env`. */
  localEnvironment: 64,
  nameLength: 63,
  /** One week, in seconds. */
  trialDeadlineSeconds: 604_800,
  /** Of a whole run and of what follows it: one year, in seconds. */
  runSeconds: 31_536_000,
  retries: 100,
  /** One hour, in seconds. */
  backoffSeconds: 3_600,
  failureRules: 20,
  /** Of one rule, as podFailurePolicy has it. */
  exitCodes: 255,
  /** Entries of `sharedData`. */
  sharedData: 16,
  /** Characters of an entry's name; a volume's name has a prefix of ours and at most 63. */
  sharedDataNameLength: 40,
  /** Characters of a path in a pod. */
  mountPathLength: 256,
  /** Characters of a path on this machine. */
  localPathLength: 4_096,
} as const;

/** Field defaults that code outside the schema refers to. */
export const Defaults = {
  /** One hour, in seconds: a trial that hangs must not hold its slot for ever. */
  trialDeadlineSeconds: 3_600,
  /** One hour, in seconds: a busy cluster may let a pod wait, a wrong image must not let it wait for ever. */
  trialStartDeadlineSeconds: 3_600,
  /** Of intervals and verdicts. */
  confidence: '0.95',
} as const;

/** The names by which a test program is told what to run and where to answer. See docs/reference/test-program.md. */
export const ProgramEnvironment = {
  variant: 'BATCHTEST_VARIANT',
  parameters: 'BATCHTEST_PARAMETERS',
  repetition: 'BATCHTEST_REPETITION',
  resultFile: 'BATCHTEST_RESULT_FILE',
  /** Set only when `spec.results.push` is. */
  resultUrl: 'BATCHTEST_RESULT_URL',
  /** Set only when `spec.results.push` is. */
  tokenFile: 'BATCHTEST_TOKEN_FILE',
  /** Set only when the result URL is https and its certificate is signed by an authority that the program is not expected to know. */
  resultCaFile: 'BATCHTEST_RESULT_CA_FILE',
  /** A JSON object of paths by name; one variable per entry has its upper-cased name appended. */
  sharedData: 'BATCHTEST_SHARED_DATA',
  /** Of local runs only. */
  artifactsDirectory: 'BATCHTEST_ARTIFACTS_DIR',
} as const;
/** Parameters and environment variables of a manifest may not begin with this. */
export const RESERVED_ENVIRONMENT_PREFIX = 'BATCHTEST_';
