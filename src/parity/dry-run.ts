import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { BatchTest } from '../api/v1alpha1/schema.ts';
import { InvalidBatchTestError } from '../core/errors.ts';
import { refuseFloatingImages } from '../core/floating-images.ts';
import { expandVariants, type Variant } from '../core/variants.ts';
import type { AttemptRequest } from '../engine/engine.ts';
import { carrierOf } from '../engine/kubernetes/attempt-carrier.ts';
import { attemptPod } from '../engine/kubernetes/attempt-pod.ts';
import { COMMAND_MISSING_MESSAGE, localRunProgram } from '../engine/local/local-program.ts';
import { unsupportedLocally } from '../engine/local/unsupported-locally.ts';
import { programOf } from '../engine/program-environment.ts';
import { type FieldParity, isAlike } from './field-parity.ts';
import { type CommonDifference, commonDifferences, programDifferences } from './program-differences.ts';
import { firstAttempt, programView } from './program-view.ts';
import type { ServerCheck } from './server-check.ts';
import { specFieldParity } from './spec-fields.ts';
import { templateFieldParity } from './template-fields.ts';

/** Jobs, or pods, that a dry run tells in full. */
const JOBS_SHOWN = 10;

/** What no manifest can change, so that it says nothing about this one. */
const INHERENT: readonly string[] = [
  'a process runs on this machine, beside whatever else runs there, with the files of this machine',
  'a process inherits the environment of batchtest, but for DATABASE_URL, PG… and BATCHTEST_…; a container has that of its image',
  'a process runs as the user who runs batchtest; a pod gets what the restricted Pod Security Standard asks for where the template says nothing',
  'the result file has another path',
  'duration_seconds has a resolution of one second in the cluster',
];

/** A difference of the programs of both engines, in words. */
export interface ProgramParity extends CommonDifference {
  /** The whole sentence. */
  readonly text: string;
  readonly matters: boolean;
}

/**
 * What both engines would make of a manifest, found out without running anything. As JSON it is what `batchtest parity FILE -o json`
 * prints. Fields are added to it, never renamed or removed.
 */
export interface DryRun {
  readonly name: string;
  readonly variants: number;
  readonly repetitions: number;
  readonly trials: number;
  /** `Different` when something that matters is. */
  readonly verdict: 'Same' | 'Different';
  /** Every field of the spec that has a value, defaults included. */
  readonly fields: readonly FieldParity[];
  /** How what the program is told differs; the first of each pair is local, the second in the cluster. */
  readonly program: readonly ProgramParity[];
  /** What a local run cannot reproduce of any manifest. */
  readonly inherent: readonly string[];
  /** The Jobs of the first trials, one per variant, or their pods with `execution: Pod`; names and UIDs are those of a run without a UID. At most ten. */
  readonly jobs: readonly (V1Job | V1Pod)[];
  /** What an API server says of the BatchTest and of the first Job or pod; null when none was asked. */
  readonly server: ServerCheck | null;
}

/**
 * Compares what both engines would do. Pure: nothing is run, and no cluster asked.
 * @param namespace of its trials, when the manifest names none
 * @throws InvalidBatchTestError when neither could run the manifest
 */
export function dryRun(manifest: BatchTest, namespace?: string): DryRun {
  const where = manifest.metadata.namespace ?? namespace ?? 'default';
  const variants = expandVariants(manifest.spec);
  const [first] = variantAttempts(manifest, where, 1);
  if (first === undefined) throw new Error(`BatchTest ${manifest.metadata.name} has no variant`);
  const known = [
    ...specFieldParity(manifest),
    ...templateFieldParity(manifest, attemptPod(first, undefined)),
  ];
  const fields = [
    ...known,
    ...furtherUnsupported(manifest, known),
    ...missingCommand(manifest),
    ...floatingImage(manifest),
  ];
  const program = programParity(manifest, variants);
  const { repetitions } = manifest.spec;
  return withVerdict({
    name: manifest.metadata.name,
    variants: variants.length,
    repetitions,
    trials: variants.length * repetitions,
    verdict: 'Same',
    fields,
    program,
    inherent: INHERENT,
    jobs: variantCarriers(manifest, where, JOBS_SHOWN),
    server: null,
  });
}

/** The dry run with what an API server says; what that refuses would not run in the cluster. */
export const withServerCheck = (run: DryRun, server: ServerCheck): DryRun => withVerdict({ ...run, server });

function withVerdict(run: DryRun): DryRun {
  const { fields, program, server } = run;
  const isRefused = server?.kind === 'Checked' && server.objects.some(({ outcome }) => outcome === 'Refused');
  const isDifferent = isRefused || [...fields, ...program].some(({ matters }) => matters);
  return { ...run, verdict: isDifferent ? 'Different' : 'Same' };
}

/** The first attempt of each variant, in the order of the manifest. */
export const variantAttempts = (
  manifest: BatchTest,
  namespace: string,
  most = Number.POSITIVE_INFINITY,
): readonly AttemptRequest[] =>
  expandVariants(manifest.spec)
    .slice(0, most)
    .map((variant) => firstAttempt(manifest, { variant, repetition: 0 }, namespace));

/** The Job, or pod, of each of them. */
export const variantCarriers = (
  manifest: BatchTest,
  namespace: string,
  most?: number,
): readonly (V1Job | V1Pod)[] =>
  variantAttempts(manifest, namespace, most).map((attempt) => carrierOf(attempt.run).manifest(attempt));

/** What the local engine says of fields that are not there, or of several at once. */
function furtherUnsupported(manifest: BatchTest, known: readonly FieldParity[]): readonly FieldParity[] {
  const told = new Set(known.filter((field) => !isAlike(field)).map(({ field }) => field));
  return unsupportedLocally(manifest)
    .filter(({ field }) => !told.has(field))
    .map(({ field, problem, severity }) => ({
      field,
      local: severity === 'error' ? 'Refused' : 'Ignored',
      kubernetes: 'Honoured',
      note: problem,
      matters: true,
    }));
}

function missingCommand(manifest: BatchTest): readonly FieldParity[] {
  const { commandLine } = localRunProgram(manifest, '/', {});
  if (commandLine !== undefined) return [];
  const note = `is missing: ${COMMAND_MISSING_MESSAGE}`;
  return [{ field: 'spec.local.command', local: 'Refused', kubernetes: 'Ignored', note, matters: true }];
}

/** What only a cluster refuses. */
function floatingImage({ spec }: BatchTest): readonly FieldParity[] {
  try {
    refuseFloatingImages(spec);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidBatchTestError)) throw error;
    const { field, message } = error;
    const note = `is refused by a cluster: ${message.slice(`${field}: `.length)}`;
    return [{ field, local: 'Ignored', kubernetes: 'Refused', note, matters: true }];
  }
}

function programParity(manifest: BatchTest, variants: readonly Variant[]): readonly ProgramParity[] {
  const all = variants.map((variant) => {
    const trial = { variant, repetition: 0 };
    const here = programView('local', manifest, trial);
    const there = programView('kubernetes', manifest, trial);
    // That there is nothing to run locally is said by the field.
    return {
      name: variant.name,
      differences: here.command === undefined ? [] : programDifferences(here, there),
    };
  });
  return commonDifferences(all).map((difference) => ({
    ...difference,
    text: textOf(difference, manifest),
    matters: difference.how !== 'Unknown',
  }));
}

function textOf({ kind, name, how }: CommonDifference, manifest: BatchTest): string {
  const refer = 'refer to a variable whose value in the cluster cannot be told from here';
  switch (kind) {
    case 'Command':
      if (how !== 'Unknown') return 'the command is another one locally than in the cluster';
      return programOf(manifest).command === undefined
        ? 'the command in the cluster is that of the image, so whether spec.local.command does the same cannot be told'
        : `the words of the command ${refer}`;
    case 'Arguments':
      return how === 'Unknown'
        ? `the arguments ${refer}`
        : 'the arguments are others locally than in the cluster';
    case 'Variable':
      return `the variable ${name} ${variableText(how)}`;
  }
}

function variableText(how: CommonDifference['how']): string {
  switch (how) {
    case 'OnlyFirst':
      return 'is set locally only';
    case 'OnlySecond':
      return 'is set in the cluster only';
    case 'Differs':
      return 'has another value locally than in the cluster';
    case 'Unknown':
      return 'has a value in the cluster that cannot be told from here';
  }
}

/** The fields whose treatment is not the same, those that matter first. */
export const differingFields = ({ fields }: DryRun): readonly FieldParity[] =>
  fields
    .filter((field) => !isAlike(field))
    .toSorted((one, other) => Number(other.matters) - Number(one.matters));
