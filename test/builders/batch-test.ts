import { type BatchTest, type BatchTestManifest, batchTestSchema } from '../../src/api/v1alpha1/schema.ts';

type SpecInput = BatchTestManifest['spec'];

/** What a test may say about its BatchTest; everything else is filled in with something valid. */
export interface BatchTestOptions {
  readonly name?: string;
  readonly namespace?: string;
  /** A number makes that many variants named a, b, c, …; a list is taken as it is; `[]` leaves only the matrix. */
  readonly variants?: number | NonNullable<SpecInput['variants']>;
  readonly matrix?: SpecInput['matrix'];
  readonly repetitions?: number;
  readonly parallelism?: number;
  readonly trialDeadlineSeconds?: number;
  readonly template?: SpecInput['template'];
  /** Any other fields of the spec. */
  readonly spec?: Partial<SpecInput>;
  /** Metrics of the objective; by default one, `p95_ms`, to be minimized. */
  readonly metrics?: SpecInput['objective']['metrics'];
}

/** A valid BatchTest that shows only what matters to its test: `aBatchTest({ variants: 3, parallelism: 2 })`. */
export function aBatchTest(options: BatchTestOptions = {}): BatchTest {
  const { variants = 2 } = options;
  const explicit = typeof variants === 'number' ? Array.from({ length: variants }, aVariant) : variants;
  return batchTestSchema.parse({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: {
      name: options.name ?? 'checkout-cache',
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    },
    spec: {
      parallelism: options.parallelism ?? 1,
      repetitions: options.repetitions ?? 1,
      ...(options.trialDeadlineSeconds === undefined
        ? {}
        : { trialDeadlineSeconds: options.trialDeadlineSeconds }),
      ...(explicit.length === 0 ? {} : { variants: explicit }),
      ...(options.matrix === undefined ? {} : { matrix: options.matrix }),
      template: options.template ?? aTemplate(),
      objective: { metrics: options.metrics ?? [{ name: 'p95_ms', goal: 'minimize' }] },
      ...options.spec,
    },
  } satisfies BatchTestManifest);
}

/** An ordinary pod template with one container. */
export const aTemplate = (image = 'example.com/bench:1'): SpecInput['template'] => ({
  spec: { restartPolicy: 'Never', containers: [{ name: 'test', image }] },
});

/** Variant 0 is a, variant 1 is b, and so on; v26, v27, … after z. */
function aVariant(_: unknown, index: number): { name: string; parameters: Record<string, string> } {
  const name = index < 26 ? String.fromCharCode('a'.charCodeAt(0) + index) : `v${index}`;
  return { name, parameters: { CHOICE: name } };
}
