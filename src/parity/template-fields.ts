import type { V1Container } from '@kubernetes/client-node';
import type { BatchTest } from '../api/v1alpha1/schema.ts';
import type { AttemptPod } from '../engine/kubernetes/attempt-pod.ts';
import { type UnsupportedField, unsupportedLocally } from '../engine/local/unsupported-locally.ts';
import { programOf } from '../engine/program-environment.ts';
import { type FieldParity, honouredByBoth } from './field-parity.ts';

/** Where and by whom a pod is run: nothing that its program could tell by. Without effect locally. */
const PLACEMENT: ReadonlySet<string> = new Set([
  'nodeName',
  'nodeSelector',
  'affinity',
  'tolerations',
  'topologySpreadConstraints',
  'schedulerName',
  'schedulingGates',
  'priority',
  'priorityClassName',
  'preemptionPolicy',
  'imagePullSecrets',
  // A pod gets no token of it unless it asks for one.
  'serviceAccountName',
  'serviceAccount',
]);

/** Fields of a container that give way to something of the same meaning, so that unsupportedLocally says nothing of them. */
const REPLACED: Readonly<Record<string, Omit<FieldParity, 'field'>>> = {
  image: ignoredLocally('does not run locally: programs of this machine run in its place'),
  imagePullPolicy: ignoredLocally('has no effect locally: no image is pulled'),
  terminationMessagePath: {
    local: 'Differs',
    kubernetes: 'Honoured',
    note: 'is another file locally; the program finds either by BATCHTEST_RESULT_FILE',
    matters: false,
  },
  terminationMessagePolicy: {
    local: 'Ignored',
    kubernetes: 'Differs',
    note: 'is FallbackToLogsOnError for the test program in the cluster; a local run keeps the tail of its output as well',
    matters: false,
  },
};

function ignoredLocally(note: string): Omit<FieldParity, 'field'> {
  return { local: 'Ignored', kubernetes: 'Honoured', note, matters: false };
}

/**
 * What both engines make of each field that the pod template sets.
 * @param rendered the pod of any of the run's trials, as the Kubernetes engine renders it
 */
export function templateFieldParity(manifest: BatchTest, rendered: AttemptPod): readonly FieldParity[] {
  const { metadata, spec } = manifest.spec.template;
  const unsupported = unsupportedLocally(manifest);
  const podPath = 'spec.template.spec';
  const pod = Object.entries(spec).flatMap(([name, value]) =>
    value === undefined || name === 'containers' ? [] : fieldParity(`${podPath}.${name}`, name, unsupported),
  );
  const program = programOf(manifest);
  const containers = spec.containers.flatMap((container, index) => {
    const path = `${podPath}.containers[${index}]`;
    return container === program
      ? programFields(container, path, unsupported)
      : fieldParity(path, 'containers', unsupported);
  });
  return [...metadataFields(metadata, rendered.metadata), ...pod, ...containers];
}

function programFields(
  program: V1Container,
  path: string,
  unsupported: readonly UnsupportedField[],
): readonly FieldParity[] {
  return Object.entries(program).flatMap(([name, value]): readonly FieldParity[] => {
    if (value === undefined) return [];
    const field = `${path}.${name}`;
    const replaced = REPLACED[name];
    if (replaced !== undefined) return [{ field, ...replaced }];
    return fieldParity(field, name, unsupported, doesMatter(program, name));
  });
}

/** Undefined: as for any field of that name. */
function doesMatter(program: V1Container, name: string): boolean | undefined {
  if (name === 'resources') return program.resources?.limits !== undefined;
  // Whether spec.local.env sets all variables of a Secret or a ConfigMap cannot be told.
  return name === 'envFrom' ? false : undefined;
}

/** By what the local engine says of the field, or of parts of it. */
function fieldParity(
  field: string,
  name: string,
  unsupported: readonly UnsupportedField[],
  matters = !PLACEMENT.has(name),
): readonly FieldParity[] {
  const found = unsupported.filter((entry) => entry.field === field || isWithin(entry.field, field));
  if (found.length === 0) return [honouredByBoth(field)];
  return found.map((entry) => ({
    field: entry.field,
    local: entry.severity === 'error' ? 'Refused' : 'Ignored',
    kubernetes: 'Honoured',
    note: entry.problem,
    matters: matters || entry.severity === 'error',
  }));
}

const isWithin = (field: string, outer: string): boolean =>
  field.startsWith(`${outer}.`) || field.startsWith(`${outer}[`);

/** Labels and annotations are of use in a cluster only, and those that the operator sets itself are left out there. */
function metadataFields(
  metadata: BatchTest['spec']['template']['metadata'],
  rendered: AttemptPod['metadata'],
): readonly FieldParity[] {
  return (['labels', 'annotations'] as const).flatMap((kind): readonly FieldParity[] => {
    const given = metadata?.[kind];
    if (given === undefined) return [];
    const dropped = Object.entries(given).filter(([name, value]) => rendered[kind]?.[name] !== value);
    const field = `spec.template.metadata.${kind}`;
    const note = 'have no effect locally';
    if (dropped.length === 0) return [{ field, ...ignoredLocally(note) }];
    const names = dropped.map(([name]) => name).join(', ');
    return [
      {
        field,
        local: 'Ignored',
        kubernetes: 'Differs',
        note: `${note}; in the cluster the operator sets or leaves out ${names}`,
        matters: false,
      },
    ];
  });
}
