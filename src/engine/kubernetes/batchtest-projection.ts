import { API_VERSION, FINALIZER, KIND } from '../../api/v1alpha1/constants.ts';
import { formatProblem, servedStatus, validateServedManifest } from '../../api/v1alpha1/manifest.ts';
import type { BatchTest } from '../../api/v1alpha1/schema.ts';
import { isFinished } from '../../core/status.ts';
import type { DesiredRun } from '../run-source.ts';
import type { ObjectMeta } from './kubernetes-objects.ts';
import type { Reflected } from './reflector.ts';

/** A BatchTest as the API server's JSON has it. */
export interface BatchTestObject {
  readonly metadata: ObjectMeta & { readonly generation?: number };
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** What is kept of a BatchTest. */
export interface BatchTestProjection extends Reflected {
  readonly desired: DesiredRun;
  readonly finalizers: readonly string[];
}

/**
 * What its user wants of a BatchTest. One that is being deleted is wanted no more: nothing new starts, and what runs is ended.
 * @param before what is kept of the same object so far: its spec is validated only when it has changed
 */
export function projectBatchTest(
  object: BatchTestObject,
  before: BatchTestProjection | undefined,
): BatchTestProjection {
  const { uid, resourceVersion, generation, deletionTimestamp, finalizers = [] } = object.metadata;
  const isUnchanged = generation !== undefined && before?.desired.generation === generation;
  const spec = isUnchanged ? before.desired : validated(object);
  const common = {
    uid,
    generation,
    status: servedStatus(object.status),
    deletedAt: deletionTimestamp === undefined ? undefined : Date.parse(deletionTimestamp),
    isHeld: finalizers.includes(FINALIZER),
  };
  const desired: DesiredRun =
    spec.kind === 'Invalid'
      ? { kind: 'Invalid', message: spec.message, metadata: spec.metadata, ...common }
      : {
          kind: 'Runnable',
          manifest: spec.manifest,
          ignoredFields: spec.ignoredFields,
          cancel: cancelOf(common.deletedAt, spec.manifest),
          ...common,
        };
  return { uid, resourceVersion, desired, finalizers };
}

/** Projects an object that nobody has made: the first validation of a process takes 30 ms, a later one less than 2 (measured), and no user's run is to wait for it. */
export function prepareProjection(): void {
  const spec = {
    variants: [{ name: 'example', parameters: { LEVEL: '1' } }],
    objective: { metrics: [{ name: 'score', goal: 'maximize' }] },
    template: {
      spec: { containers: [{ name: 'example', image: 'example', env: [{ name: 'A', value: '1' }] }] },
    },
  };
  projectBatchTest({ metadata: { name: 'example', uid: '', resourceVersion: '' }, spec }, undefined);
}

function cancelOf(
  deletedAt: number | undefined,
  { spec }: BatchTest,
): Extract<DesiredRun, { kind: 'Runnable' }>['cancel'] {
  if (deletedAt !== undefined) return 'Deleted';
  return spec.cancel ? 'Requested' : undefined;
}

type ValidatedSpec =
  | Pick<Extract<DesiredRun, { kind: 'Runnable' }>, 'kind' | 'manifest' | 'ignoredFields'>
  | Pick<Extract<DesiredRun, { kind: 'Invalid' }>, 'kind' | 'message' | 'metadata'>;

/** Of the metadata, only what a run has a use for is kept: kubectl's annotation alone may be as large as the whole object. */
function validated({ metadata, spec }: BatchTestObject): ValidatedSpec {
  const { name, namespace, labels } = metadata;
  const named = { name, ...(namespace === undefined ? {} : { namespace }) };
  const manifest = {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { ...named, ...(labels === undefined ? {} : { labels }) },
    spec,
  };
  const result = validateServedManifest(manifest, 'BatchTest');
  return result.ok
    ? { kind: 'Runnable', manifest: result.batchTest, ignoredFields: result.ignoredFields }
    : { kind: 'Invalid', message: result.problems.map(formatProblem).join('\n'), metadata: named };
}

/** True when the controller need not look at it: both want the same of the same run, whatever its status says while it is not over. */
export function wantedAlike(a: BatchTestProjection | undefined, b: BatchTestProjection | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.uid === b.uid &&
    a.desired.generation === b.desired.generation &&
    a.desired.deletedAt === b.desired.deletedAt &&
    // Once it is over it is to be let go.
    isFinished(a.desired.status) === isFinished(b.desired.status)
  );
}
