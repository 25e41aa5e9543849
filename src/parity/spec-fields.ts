import type { BatchTest, BatchTestSpec } from '../api/v1alpha1/schema.ts';
import { unsupportedLocally } from '../engine/local/unsupported-locally.ts';
import { type FieldParity, honouredByBoth } from './field-parity.ts';

/** What is said of a field whose treatment is not the same everywhere. */
type Divergence = Omit<FieldParity, 'field'>;

/**
 * Every field of the spec but the pod template's own, by its path; `[]` stands for all entries of a list. Fields that the core or the
 * comparison decides about are the same in both engines by construction: they are `SAME`. spec-fields.test.ts fails for a field of the
 * schema that is missing here.
 */
const SAME = 'Same';
export const SPEC_FIELDS: Readonly<Record<string, typeof SAME | Divergence>> = {
  workflowId: SAME,
  parallelism: SAME,
  repetitions: SAME,
  trialDeadlineSeconds: SAME,
  trialStartDeadlineSeconds: SAME,
  activeDeadlineSeconds: SAME,
  // What unsupportedLocally says of these two, and of parallelism, depends on their value.
  ttlSecondsAfterFinished: SAME,
  suspend: SAME,
  cancel: SAME,
  maxPending: SAME,
  scaleDownPolicy: SAME,
  maxFailedVariants: SAME,
  'retryPolicy.limit': SAME,
  'retryPolicy.backoffSeconds': SAME,
  'retryPolicy.maxBackoffSeconds': SAME,
  'retryPolicy.outcomes': SAME,
  'failurePolicy.rules[].action': SAME,
  'failurePolicy.rules[].onExitCodes.operator': SAME,
  'failurePolicy.rules[].onExitCodes.values': SAME,
  podCleanupPolicy: {
    local: 'Ignored',
    kubernetes: 'Honoured',
    note: 'has no effect locally: there are no Jobs or pods, and the output of every attempt stays in the data directory',
    matters: false,
  },
  execution: {
    local: 'Ignored',
    kubernetes: 'Honoured',
    note: 'says what carries an attempt in a cluster; the program that runs is the same',
    matters: false,
  },
  reusePolicy: SAME,
  'results.push': SAME,
  'sharedData[].name': SAME,
  'sharedData[].mountPath': {
    local: 'Differs',
    kubernetes: 'Honoured',
    note: 'is where the data is in a pod; the program finds it by BATCHTEST_SHARED_DATA in both',
    matters: false,
  },
  'sharedData[].configMap.name': clusterData(),
  'sharedData[].persistentVolumeClaim.claimName': clusterData(),
  'sharedData[].local': localOnly('is what the program reads'),
  'variants[].name': SAME,
  'variants[].parameters': SAME,
  'matrix.parameters[].name': SAME,
  'matrix.parameters[].values': SAME,
  'matrix.exclude': SAME,
  'objective.metrics[].name': SAME,
  'objective.metrics[].goal': SAME,
  'objective.metrics[].weight': SAME,
  'objective.metrics[].target': SAME,
  'comparison.baseline': SAME,
  'comparison.confidence': SAME,
  'comparison.tieBreak': SAME,
  'comparison.gates[].metric': SAME,
  'comparison.gates[].maxRegressionPercent': SAME,
  'comparison.gates[].against': SAME,
  'comparison.gates[].min': SAME,
  'comparison.gates[].max': SAME,
  'comparison.earlyStopping.looks': SAME,
  'comparison.earlyStopping.minRepetitions': SAME,
  // Whether what they put in the place of the template's runs the program otherwise is seen by comparing the programs.
  'local.command': localOnly("runs in place of the image and the container's command"),
  'local.args': localOnly("take the place of the container's args"),
  'local.workingDir': localOnly('is where the program runs; in the cluster it runs in a folder of its image'),
  'local.env': localOnly('is set in addition'),
};

function localOnly(what: string): Divergence {
  return { local: 'Honoured', kubernetes: 'Ignored', note: `${what}, locally only`, matters: false };
}

function clusterData(): Divergence {
  const note =
    'is what the program reads in the cluster; whether it holds the same as locally cannot be told';
  return { local: 'Ignored', kubernetes: 'Honoured', note, matters: false };
}

/** What both engines make of each field that the manifest has a value for, defaults included, but for its pod template. */
export function specFieldParity(manifest: BatchTest): readonly FieldParity[] {
  const unsupported = new Map(unsupportedLocally(manifest).map((entry) => [entry.field, entry]));
  return presentPaths(manifest.spec).map((path): FieldParity => {
    const field = `spec.${path}`;
    const refused = unsupported.get(field);
    if (refused !== undefined)
      return {
        field,
        local: refused.severity === 'error' ? 'Refused' : 'Ignored',
        kubernetes: 'Honoured',
        note: refused.problem,
        matters: refused.severity === 'error',
      };
    const known = SPEC_FIELDS[path];
    if (known === undefined)
      throw new Error(`src/parity/spec-fields.ts does not say what engines make of ${field}`);
    return known === SAME ? honouredByBoth(field) : { field, ...known };
  });
}

/** The paths of {@link SPEC_FIELDS} that the spec has a value at, in the order of the spec. */
function presentPaths({ template: _, ...spec }: BatchTestSpec): readonly string[] {
  return [...new Set(pathsOf(spec, ''))];
}

function pathsOf(value: unknown, path: string): readonly string[] {
  if (value === undefined) return [];
  if (Object.hasOwn(SPEC_FIELDS, path)) return [path];
  if (Array.isArray(value)) return value.flatMap((entry) => pathsOf(entry, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, field]) =>
    pathsOf(field, path === '' ? name : `${path}.${name}`),
  );
}
