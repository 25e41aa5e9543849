/** The pod of an attempt, and whose it is, as data. Pure: the same attempt always gives the same, byte for byte. */
import type { V1Container, V1EnvVar, V1ObjectMeta, V1PodSpec, V1VolumeMount } from '@kubernetes/client-node';
import {
  ANNOTATION_VARIANT_NAME,
  API_VERSION,
  GROUP,
  KIND,
  LABEL_ATTEMPT,
  LABEL_REPETITION,
  LABEL_RUN_UID,
  LABEL_VARIANT_ID,
  ProgramEnvironment,
} from '../../api/v1alpha1/constants.ts';
import type { AttemptKey } from '../../core/attempt.ts';
import type { AttemptRequest } from '../engine.ts';
import { pushVariables, sharedDataVariables } from '../further-variables.ts';
import {
  escapeReferences,
  PROGRAM_CONTAINER_ANNOTATION,
  programOf,
  trialVariables,
} from '../program-environment.ts';
import { withRestrictedDefaults } from './pod-security-defaults.ts';
import {
  ANNOTATION_RESULT_CA,
  pushTarget,
  RESULT_VOLUME_MOUNT,
  type ResultIngestAddress,
  resultVolume,
} from './result-volume.ts';
import { sharedDataMounts, sharedDataVolumes } from './shared-data-volumes.ts';

/** A kubelet takes the termination message from here unless a container says otherwise. */
const DEFAULT_RESULT_FILE = '/dev/termination-log';

/** What tells a program how to report its result. */
const OF_PROGRAM_ALONE: ReadonlySet<string> = new Set([
  ProgramEnvironment.resultFile,
  ProgramEnvironment.resultUrl,
  ProgramEnvironment.tokenFile,
  ProgramEnvironment.resultCaFile,
]);

/**
 * How much longer than both deadlines of the attempt its pod may live, in seconds. They are enforced by the core, that of the start and, from when the program
 * runs, its own. The pod's counts from when a node takes the pod, pulling of the image included, and is there for when no operator watches.
 */
const POD_ALLOWANCE_SECONDS = 300;

/** Labels that say whose pod this is, to us or to the Job controller. A template may not set them. */
const isReservedLabel = (name: string): boolean =>
  name.startsWith(`${GROUP}/`) ||
  name.startsWith('batch.kubernetes.io/') ||
  name === 'controller-uid' ||
  name === 'job-name';

/** Names Kueue's queue on an object of the user's, and from there on the Jobs and pods that are made for it. */
const KUEUE_LABEL_PREFIX = 'kueue.x-k8s.io/';

/** What a Job, or a pod that no Job is needed for, is known by: whose it is, and which attempt. */
export function attemptMetadata(request: AttemptRequest): V1ObjectMeta {
  const { run, name } = request;
  if (run.namespace === undefined) throw new Error(`run ${run.uid} (${run.name}) is in no namespace`);
  return {
    name,
    namespace: run.namespace,
    labels: { ...queueLabels(run.manifest.metadata.labels), ...podLabels(request) },
    annotations: variantAnnotation(request),
    ownerReferences: [
      {
        apiVersion: API_VERSION,
        kind: KIND,
        name: run.name,
        uid: run.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
}

/**
 * The pod that is one attempt, as a template: the user's with our labels and the trial's environment merged over it. Of the template's
 * metadata only labels and annotations are taken, since the rest, such as owner references and finalizers, could be used to hijack the
 * pod.
 * @param ingest where its result may be pushed to; needed for a run with `spec.results.push`
 */
export function attemptPod(request: AttemptRequest, ingest: ResultIngestAddress | undefined): AttemptPod {
  const { template, results } = request.run.manifest.spec;
  const ca = results.push ? ingest?.certificateAuthority : undefined;
  const annotations = {
    ...withoutReserved(template.metadata?.annotations),
    ...variantAnnotation(request),
    [PROGRAM_CONTAINER_ANNOTATION]: programOf(request.run.manifest).name,
    ...(ca === undefined ? {} : { [ANNOTATION_RESULT_CA]: ca }),
  };
  return {
    metadata: { labels: podLabels(request), annotations },
    spec: podSpec(request, results.push ? ingest : undefined),
  };
}

export interface AttemptPod {
  readonly metadata: Required<Pick<V1ObjectMeta, 'labels' | 'annotations'>>;
  readonly spec: V1PodSpec;
}

/** What all that an attempt consists of is labelled with, whatever carries it. */
export const attemptLabels = (
  runUid: string,
  { variantId, repetition, attempt }: AttemptKey,
): Readonly<Record<string, string>> => ({
  [LABEL_RUN_UID]: runUid,
  [LABEL_VARIANT_ID]: variantId,
  [LABEL_REPETITION]: String(repetition),
  [LABEL_ATTEMPT]: String(attempt),
});

const podLabels = ({ run, trial, attempt }: AttemptRequest): Record<string, string> => ({
  ...withoutReserved(run.manifest.spec.template.metadata?.labels),
  ...attemptLabels(run.uid, { variantId: trial.variant.id, repetition: trial.repetition, attempt }),
});

const variantAnnotation = ({ trial }: AttemptRequest): Record<string, string> => ({
  [ANNOTATION_VARIANT_NAME]: trial.variant.name,
});

function podSpec(
  { run, trial, deadlineSeconds }: AttemptRequest,
  ingest: ResultIngestAddress | undefined,
): V1PodSpec {
  const program = programOf(run.manifest);
  const { spec } = run.manifest.spec.template;
  const { sharedData = [] } = run.manifest.spec;
  const paths = new Map(sharedData.map(({ name, mountPath }) => [name, mountPath]));
  const variables = trialVariables(trial, program.terminationMessagePath || DEFAULT_RESULT_FILE, [
    ...sharedDataVariables(paths),
    ...(ingest === undefined ? [] : pushVariables(pushTarget(ingest))),
  ]);
  // A result is the program's alone; the variant is what the other containers may serve it for.
  const shared = new Map([...variables].filter(([name]) => !OF_PROGRAM_ALONE.has(name)));
  const dataMounts = sharedDataMounts(sharedData);
  const completed = (container: V1Container): V1Container =>
    container === program
      ? {
          ...withMounts(withVariables(container, variables), [
            ...dataMounts,
            ...(ingest === undefined ? [] : [RESULT_VOLUME_MOUNT]),
          ]),
          terminationMessagePolicy: 'FallbackToLogsOnError',
        }
      : {
          terminationMessagePolicy: 'FallbackToLogsOnError',
          ...withMounts(withVariables(container, shared), dataMounts),
        };
  const volumes = [
    ...(spec.volumes ?? []),
    ...sharedDataVolumes(sharedData),
    ...(ingest === undefined ? [] : [resultVolume(ingest)]),
  ];
  const podDeadline = deadlineSeconds + POD_ALLOWANCE_SECONDS;
  return withRestrictedDefaults({
    ...spec,
    containers: spec.containers.map(completed),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(completed) }),
    ...(volumes.length === 0 ? {} : { volumes }),
    restartPolicy: 'Never',
    activeDeadlineSeconds: Math.min(spec.activeDeadlineSeconds ?? podDeadline, podDeadline),
  });
}

/**
 * The trial's variables come first, so that what the template declares may refer to them by `$(NAME)`, and win over what it declares
 * under the same name. Their values are literal.
 */
function withVariables(container: V1Container, variables: ReadonlyMap<string, string>): V1Container {
  const fixed = [...variables].map(([name, value]): V1EnvVar => ({ name, value: escapeReferences(value) }));
  const declared = (container.env ?? []).filter(({ name }) => !variables.has(name));
  return { ...container, env: [...fixed, ...declared] };
}

const withMounts = (container: V1Container, mounts: readonly V1VolumeMount[]): V1Container =>
  mounts.length === 0
    ? container
    : { ...container, volumeMounts: [...(container.volumeMounts ?? []), ...mounts] };

const withoutReserved = (entries: V1ObjectMeta['labels']): Record<string, string> =>
  Object.fromEntries(Object.entries(entries ?? {}).filter(([name]) => !isReservedLabel(name)));

const queueLabels = (labels: Readonly<Record<string, string>> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(labels ?? {}).filter(([name]) => name.startsWith(KUEUE_LABEL_PREFIX)));
