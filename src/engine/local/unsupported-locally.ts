import type { BatchTest } from '../../api/v1alpha1/schema.ts';
import { sharedDataVariable } from '../further-variables.ts';
import { programOf } from '../program-environment.ts';

/** A field of a manifest that the local engine does not honour. */
export interface UnsupportedField {
  readonly field: string;
  /** What that means for the program: the rest of a sentence that begins with the field. */
  readonly problem: string;
  /** `error`: the program would lack what it is told to read. `warning`: it runs, in another world than a pod's. */
  readonly severity: 'error' | 'warning';
}

/** Fields of a pod's spec that are honoured, or that make no difference to a process. */
const POD_FIELDS: ReadonlySet<string> = new Set([
  'containers',
  'restartPolicy',
  'terminationGracePeriodSeconds',
]);

/** The same of a container. `image` gives way to the command. */
const CONTAINER_FIELDS: ReadonlySet<string> = new Set([
  'name',
  'image',
  'imagePullPolicy',
  'command',
  'args',
  'env',
  'envFrom',
  'terminationMessagePath',
  'terminationMessagePolicy',
]);

const PROBLEMS: Readonly<Record<string, string>> = {
  initContainers: 'do not run locally; what they prepare must be there already',
  volumes: 'are not mounted locally; the program sees the files of this machine',
  volumeMounts: 'are not mounted locally; the program sees the files of this machine',
  resources: 'are not enforced locally; the program takes what it wants',
  workingDir: 'is a folder of the image; locally the program runs in spec.local.workingDir',
  securityContext: 'is not applied locally; the program runs as the user who runs batchtest',
  serviceAccountName: 'has no meaning locally',
};

/**
 * What the local engine will not honour of a manifest, in the order of its fields. A variable that takes its value from a Secret, a
 * ConfigMap or the pod has none locally, unless `spec.local.env` or a parameter gives it one.
 */
export function unsupportedLocally(manifest: BatchTest): readonly UnsupportedField[] {
  const { spec } = manifest.spec.template;
  const { containers } = spec;
  const program = programOf(manifest);
  const path = `spec.template.spec.containers[${containers.indexOf(program)}]`;
  const others = containers.flatMap((container, index) =>
    container === program
      ? []
      : [
          warning(
            `spec.template.spec.containers[${index}]`,
            `(${container.name}) does not run locally; only ${program.name} does`,
          ),
        ],
  );
  return [
    ...ignoredFields('spec.template.spec', spec, POD_FIELDS),
    ...others,
    ...ignoredFields(path, program, CONTAINER_FIELDS),
    ...unsetVariables(manifest, path),
    ...unsupportedControls(manifest.spec),
    ...unsupportedData(manifest, path),
  ];
}

function unsupportedControls({
  suspend,
  parallelism,
  ttlSecondsAfterFinished,
}: BatchTest['spec']): readonly UnsupportedField[] {
  return [
    ...(suspend ? [error('spec.suspend', 'cannot be true locally: nobody could resume the run')] : []),
    ...(parallelism === 0
      ? [error('spec.parallelism', 'cannot be 0 locally: nobody could raise it, and nothing would start')]
      : []),
    ...(ttlSecondsAfterFinished === undefined
      ? []
      : [
          warning(
            'spec.ttlSecondsAfterFinished',
            'has no effect locally: there is no object to delete; batchtest prune deletes results',
          ),
        ]),
  ];
}

function unsupportedData(manifest: BatchTest, path: string): readonly UnsupportedField[] {
  const { sharedData = [], local } = manifest.spec;
  const { command = [], args = [] } = programOf(manifest);
  const words = [...(local?.command ? [] : command), ...(local?.args ? [] : args)];
  return sharedData.flatMap((entry, index): readonly UnsupportedField[] => {
    const field = `spec.sharedData[${index}]`;
    if (entry.local === undefined)
      return [
        error(
          `${field}.local`,
          `is missing: say which folder or file takes the place of ${entry.name} locally`,
        ),
      ];
    return words.some((word) => word.includes(entry.mountPath))
      ? [
          warning(
            path,
            `names ${entry.mountPath}, which is not there locally; $(${sharedDataVariable(entry.name)}) is the path in both`,
          ),
        ]
      : [];
  });
}

function ignoredFields(
  path: string,
  object: object | undefined,
  honoured: ReadonlySet<string>,
): readonly UnsupportedField[] {
  return Object.entries(object ?? {})
    .filter(([name, value]) => value !== undefined && !honoured.has(name))
    .map(([name]) => warning(`${path}.${name}`, PROBLEMS[name] ?? 'has no effect locally'));
}

function unsetVariables(manifest: BatchTest, path: string): readonly UnsupportedField[] {
  const { env = [], envFrom = [] } = programOf(manifest);
  const local = manifest.spec.local?.env;
  const isGiven = (name: string) => Object.hasOwn(local ?? {}, name) || isParameterOfAll(manifest, name);
  const single = env.flatMap(({ name, valueFrom }, index): readonly UnsupportedField[] =>
    valueFrom === undefined || isGiven(name)
      ? []
      : [
          error(
            `${path}.env[${index}].valueFrom`,
            `cannot be read locally: give ${name} a value in spec.local.env`,
          ),
        ],
  );
  const whole = envFrom.map((_, index): UnsupportedField => {
    const field = `${path}.envFrom[${index}]`;
    return local === undefined
      ? error(field, 'cannot be read locally: give its variables values in spec.local.env')
      : warning(field, 'cannot be read locally; of its variables only those in spec.local.env are set');
  });
  return [...single, ...whole];
}

/** True when every variant sets the parameter. */
function isParameterOfAll(manifest: BatchTest, name: string): boolean {
  const { variants = [], matrix } = manifest.spec;
  return (
    variants.every(({ parameters }) => Object.hasOwn(parameters, name)) &&
    (matrix === undefined || matrix.parameters.some((parameter) => parameter.name === name))
  );
}

const error = (field: string, problem: string): UnsupportedField => ({ field, problem, severity: 'error' });

const warning = (field: string, problem: string): UnsupportedField => ({
  field,
  problem,
  severity: 'warning',
});
