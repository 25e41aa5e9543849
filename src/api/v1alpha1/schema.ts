/**
 * The one schema of a BatchTest. It validates and defaults manifests, gives the TypeScript types, and is what
 * `npm run generate` turns into the CRD. A check that JSON Schema cannot express is written twice, side by side:
 * as a zod refinement for the local engine and as CEL for the API server; test/integration/crd.test.ts feeds both the
 * same manifests and fails when their verdicts differ.
 */
import * as z from 'zod';
import { API_VERSION, Defaults, KIND, Limits, RESERVED_ENVIRONMENT_PREFIX } from './constants.ts';
import { type PodTemplate, podTemplateSchema } from './pod-template.ts';
import type { CelRule } from './structural-schema.ts';
import { refuseRepetition } from './unique-entries.ts';

const cel = (...rules: readonly CelRule[]) => ({ 'x-kubernetes-validations': rules });

/** A string of at most `max` characters; like the API server it counts code points, not UTF-16 code units. */
const boundedText = (max: number) =>
  z
    .string()
    .check((context) => {
      // Code points are never more than code units, so the cheap length decides almost always.
      if (context.value.length > max && [...context.value].length > max)
        context.issues.push({
          code: 'too_big',
          origin: 'string',
          maximum: max,
          inclusive: true,
          input: context.value,
        });
    })
    .meta({ maxLength: max });

// The name is shown in terminals, tables and annotations.
const displayName = (what: string, maxLength: number) =>
  boundedText(maxLength)
    .min(1)
    .regex(
      /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u,
      `${what} must not contain control or invisible characters (newline, tab, …)`,
    );

// Beginning with a letter, or _ and a letter, keeps `__proto__` out.
const ENVIRONMENT_NAME = /^_?[A-Za-z][A-Za-z0-9_]*$/;
const ENVIRONMENT_NAME_RULE =
  'must be an environment variable name: letters, digits and _, beginning with a letter';
const RESERVED_NAME_RULE = `must not begin with ${RESERVED_ENVIRONMENT_PREFIX}, which is reserved`;

const environmentName = z
  .string()
  .max(Limits.nameLength)
  .regex(ENVIRONMENT_NAME, ENVIRONMENT_NAME_RULE)
  .refine((name) => !name.startsWith(RESERVED_ENVIRONMENT_PREFIX), { message: RESERVED_NAME_RULE });
const celIsNotReserved = (name: string): string => `!${name}.startsWith('${RESERVED_ENVIRONMENT_PREFIX}')`;

// Postgres and the environment of a process take neither NUL nor half of a surrogate pair.
const parameterValue = boundedText(Limits.parameterValueLength).regex(
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what it refuses.
  /^[^\x00\p{Cs}]*$/u,
  'must not contain a NUL character or invalid Unicode',
);

/** Environment variables by name. JSON Schema in a CRD cannot constrain keys, so the API server does it by CEL. */
const environment = (maxEntries: number) =>
  z
    .record(environmentName, parameterValue)
    .check((context) => {
      if (Object.keys(context.value).length > maxEntries)
        context.issues.push({
          code: 'too_big',
          origin: 'record',
          maximum: maxEntries,
          inclusive: true,
          input: context.value,
        });
    })
    .meta({
      maxProperties: maxEntries,
      ...cel(
        {
          rule: `self.all(name, name.matches('${ENVIRONMENT_NAME.source}') && size(name) <= ${Limits.nameLength})`,
          message: `each name ${ENVIRONMENT_NAME_RULE}, with at most ${Limits.nameLength} characters`,
        },
        { rule: `self.all(name, ${celIsNotReserved('name')})`, message: `a name ${RESERVED_NAME_RULE}` },
      ),
    });

const variantSchema = z
  .strictObject({
    name: displayName('a variant name', Limits.nameLength).describe(
      'Name of the variant, unique in the BatchTest.',
    ),
    parameters: environment(Limits.parametersPerVariant)
      .default({})
      .describe('Environment variables of the test program; also expanded by $(NAME) in its args.'),
  })
  .describe('A variant: a name and the parameters it stands for.');

const matrixParameterSchema = z.strictObject({
  name: environmentName
    .describe('Name of the parameter: an environment variable.')
    .meta(cel({ rule: celIsNotReserved('self'), message: RESERVED_NAME_RULE })),
  values: z
    .array(parameterValue)
    .min(1)
    .max(Limits.valuesPerMatrixParameter)
    .superRefine((values, context) => refuseRepetition(values, (index) => [index], context))
    .meta({ 'x-kubernetes-list-type': 'set' })
    .describe('The values that the parameter takes.'),
});

const matrixSchema = z
  .strictObject({
    parameters: z
      .array(matrixParameterSchema)
      .min(1)
      .max(Limits.matrixParameters)
      .superRefine((list, context) => refuseDuplicateNames(list, context))
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .describe('The parameters whose Cartesian product is run.'),
    exclude: z
      .array(
        z
          .record(z.string(), parameterValue)
          .check((context) => {
            if (Object.keys(context.value).length === 0)
              context.issues.push({
                code: 'too_small',
                origin: 'record',
                minimum: 1,
                inclusive: true,
                input: context.value,
              });
          })
          .meta({ minProperties: 1, maxProperties: Limits.matrixParameters }),
      )
      .max(Limits.matrixExclusions)
      .default([])
      .describe('Combinations to leave out: every combination that has all the values of an entry.'),
  })
  .superRefine((matrix, context) => {
    const known = new Set(matrix.parameters.map((parameter) => parameter.name));
    for (const [index, exclusion] of matrix.exclude.entries())
      for (const name of Object.keys(exclusion))
        if (!known.has(name))
          context.addIssue({
            code: 'custom',
            path: ['exclude', index, name],
            message: `is not a parameter of the matrix (it has ${[...known].join(', ')})`,
          });
  })
  .meta(
    cel({
      rule: '!has(self.exclude) || self.exclude.all(exclusion, exclusion.all(name, self.parameters.exists(parameter, parameter.name == name)))',
      message: 'exclude names a parameter that the matrix does not have',
    }),
  )
  .describe('Variants as the Cartesian product of parameter values.');

const METRIC_NAME = /^[A-Za-z][A-Za-z0-9_.:/%-]*$/;
/** True for a name that a result may give a metric. Beginning with a letter also keeps `__proto__` out. */
export const isMetricName = (name: string): boolean =>
  name.length <= Limits.nameLength && METRIC_NAME.test(name);

const DECIMAL = /^[0-9]+(\.[0-9]+)?$/;
const POSITIVE_DECIMAL_RULE = 'expected a positive number, as a decimal string ("0.5") or an integer';
const positiveDecimal = z
  .union([z.string().max(20, POSITIVE_DECIMAL_RULE).regex(DECIMAL, POSITIVE_DECIMAL_RULE), z.int()], {
    error: POSITIVE_DECIMAL_RULE,
  })
  .check((context) => {
    if (Number(context.value) <= 0)
      context.issues.push({
        code: 'invalid_union',
        errors: [],
        input: context.value,
        message: POSITIVE_DECIMAL_RULE,
      });
  })
  .meta({
    'x-kubernetes-int-or-string': true,
    ...cel({
      rule: 'type(self) == int ? self > 0 : double(self) > 0.0',
      message: POSITIVE_DECIMAL_RULE,
    }),
  });

const DECIMAL_ANY_SIGN = /^-?[0-9]+(\.[0-9]+)?$/;
const NUMBER_RULE = 'expected a number, as a decimal string ("-0.5") or an integer';
const decimal = z
  .union([z.string().max(20, NUMBER_RULE).regex(DECIMAL_ANY_SIGN, NUMBER_RULE), z.int()], {
    error: NUMBER_RULE,
  })
  .meta({ 'x-kubernetes-int-or-string': true });

const NON_NEGATIVE_DECIMAL_RULE =
  'expected a number that is not negative, as a decimal string ("2.5") or an integer';
const nonNegativeDecimal = z
  .union(
    [
      z.string().max(20, NON_NEGATIVE_DECIMAL_RULE).regex(DECIMAL, NON_NEGATIVE_DECIMAL_RULE),
      z.int().min(0, NON_NEGATIVE_DECIMAL_RULE),
    ],
    { error: NON_NEGATIVE_DECIMAL_RULE },
  )
  .meta({
    'x-kubernetes-int-or-string': true,
    ...cel({
      rule: 'type(self) == int ? self >= 0 : double(self) >= 0.0',
      message: NON_NEGATIVE_DECIMAL_RULE,
    }),
  });

const objectiveSchema = z
  .strictObject({
    metrics: z
      .array(
        z.strictObject({
          name: z
            .string()
            .max(Limits.nameLength)
            .regex(METRIC_NAME, 'must begin with a letter and hold only letters, digits and _ . : / % -')
            .describe('Name of the metric in the result.'),
          goal: z.enum(['minimize', 'maximize']).describe('Whether less or more is better.'),
          weight: positiveDecimal
            .default('1')
            .describe('Weight in the score: a decimal string or an integer.'),
          target: decimal
            .optional()
            .describe(
              'The run is stopped as soon as a variant has succeeded in all its repetitions and its means meet every target: at most this to minimize, at least this to maximize.',
            ),
        }),
      )
      .min(1)
      .max(Limits.objectiveMetrics)
      .superRefine((list, context) => refuseDuplicateNames(list, context))
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .describe('The metrics that decide which variant is best; each trial must report all of them.'),
  })
  .describe('What makes a variant the best.');

const CONFIDENCE_RULE = 'must be more than 0.5 and less than 1, as a decimal string ("0.95")';
const CONFIDENCE = /^0\.[0-9]{1,6}$/;
const EMPTY_GATE_RULE = 'needs maxRegressionPercent, min or max';
const TWO_GATES_RULE = 'has two gates for one metric against the same';
const AGAINST_RULE = 'PreviousRun is for maxRegressionPercent: min and max compare with nothing';
const GATE_ORDER_RULE = 'min must not be more than max';

const gateSchema = z
  .strictObject({
    metric: z
      .string()
      .max(Limits.nameLength)
      .describe('A metric of the objective. Its goal says which direction is a regression.'),
    maxRegressionPercent: nonNegativeDecimal
      .optional()
      .describe(
        "How much worse than that of `against` any variant's mean may be, in percent of it. A difference that is not significant fails no gate.",
      ),
    against: z
      .enum(['Baseline', 'PreviousRun'])
      .default('Baseline')
      .describe(
        'What maxRegressionPercent compares with: the baseline variant of the same run, or the same variant of the newest earlier run of the workflowId that is complete and passed its gates. Without such a run the limit is kept.',
      ),
    min: decimal.optional().describe("The least that any variant's mean may be."),
    max: decimal.optional().describe("The most that any variant's mean may be."),
  })
  .superRefine(({ maxRegressionPercent, against, min, max }, context) => {
    if (maxRegressionPercent === undefined && min === undefined && max === undefined)
      context.addIssue({ code: 'custom', path: [], message: EMPTY_GATE_RULE });
    else if (against === 'PreviousRun' && maxRegressionPercent === undefined)
      context.addIssue({ code: 'custom', path: ['against'], message: AGAINST_RULE });
    if (min !== undefined && max !== undefined && Number(min) > Number(max))
      context.addIssue({ code: 'custom', path: ['min'], message: GATE_ORDER_RULE });
  })
  .meta(
    cel(
      { rule: 'has(self.maxRegressionPercent) || has(self.min) || has(self.max)', message: EMPTY_GATE_RULE },
      {
        rule: "has(self.maxRegressionPercent) || self.against != 'PreviousRun'",
        message: AGAINST_RULE,
        fieldPath: '.against',
      },
      {
        rule: '!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)',
        message: GATE_ORDER_RULE,
        fieldPath: '.min',
      },
    ),
  )
  .describe('A limit that the measured means must keep, or the run does not pass.');

const NEEDS_BASELINE_RULE = 'is needed by a gate with maxRegressionPercent against the baseline';

const earlyStoppingSchema = z
  .strictObject({
    looks: z
      .int()
      .min(1)
      .max(Limits.looks)
      .default(3)
      .describe('At how many points variants may be stopped. More of them ask for more evidence at each.'),
    minRepetitions: z
      .int()
      .min(2)
      .max(Limits.repetitions)
      .default(3)
      .describe('No variant is stopped before all have this many repetitions.'),
  })
  .describe(
    'Stops the repetitions of variants that are significantly behind the leading one. Their trials that have not started are skipped, which is no failure; they cannot be best. The baseline is never stopped.',
  );

const comparisonSchema = z
  .strictObject({
    baseline: displayName('a variant name', Limits.nameLength)
      .optional()
      .describe('Name of the variant that the others are compared with, explicit or of the matrix.'),
    confidence: z
      .string()
      .regex(CONFIDENCE, CONFIDENCE_RULE)
      .refine((text) => Number(text) > 0.5, { message: CONFIDENCE_RULE })
      .meta(cel({ rule: 'double(self) > 0.5', message: CONFIDENCE_RULE }))
      .default(Defaults.confidence)
      .describe('Confidence of intervals and verdicts: a decimal string between 0.5 and 1.'),
    tieBreak: z
      .array(z.string().max(Limits.nameLength))
      .min(1)
      .max(Limits.objectiveMetrics)
      .superRefine((values, context) => refuseRepetition(values, (index) => [index], context))
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe(
        'Metrics of the objective that decide between variants of equal scores, the first that differs. Without it, and after it, the other metrics do in their order, then the order of the manifest.',
      ),
    gates: z
      .array(gateSchema)
      .min(1)
      .max(Limits.gates)
      .superRefine((list, context) =>
        refuseRepetition(
          list.map(({ metric, against }) => `${metric} against ${against}`),
          (index) => [index, 'metric'],
          context,
        ),
      )
      .meta({
        // Not a map, whose keys would both have to be required: `against` has a default.
        'x-kubernetes-list-type': 'atomic',
        ...cel({
          rule: 'self.all(one, self.exists_one(other, other.metric == one.metric && other.against == one.against))',
          message: TWO_GATES_RULE,
        }),
      })
      .optional()
      .describe(
        'Limits that decide whether the run passes: in status.gate, in reports and in the exit code.',
      ),
    earlyStopping: earlyStoppingSchema.optional(),
  })
  .superRefine(({ baseline, gates = [] }, context) => {
    const needsBaseline = gates.some(
      ({ maxRegressionPercent, against }) => maxRegressionPercent !== undefined && against === 'Baseline',
    );
    if (baseline === undefined && needsBaseline)
      context.addIssue({ code: 'custom', path: ['baseline'], message: NEEDS_BASELINE_RULE });
  })
  .meta(
    cel({
      rule: "has(self.baseline) || !has(self.gates) || !self.gates.exists(gate, has(gate.maxRegressionPercent) && gate.against == 'Baseline')",
      message: NEEDS_BASELINE_RULE,
      fieldPath: '.baseline',
    }),
  )
  .describe('How variants are compared beyond the score: with a baseline, and against limits.');

const localSchema = z
  .strictObject({
    command: z.array(z.string()).min(1).max(256).optional().describe('Replaces the image and its command.'),
    args: z.array(z.string()).max(256).optional().describe("Replaces the container's args."),
    workingDir: z
      .string()
      .min(1)
      .optional()
      .describe("Where the program runs, relative to the manifest's folder (the default)."),
    env: environment(Limits.localEnvironment).optional().describe('Further environment variables.'),
  })
  .describe('What the local engine runs in place of the image, when they differ. The cluster ignores it.');

/** The outcomes of an attempt that another attempt may follow. */
export const RETRYABLE_OUTCOMES = ['Infrastructure', 'TestFailed', 'ResultInvalid', 'TimedOut'] as const;

const BACKOFF_ORDER_RULE = 'maxBackoffSeconds must not be less than backoffSeconds';

const retryPolicySchema = z
  .strictObject({
    limit: z
      .int()
      .min(0)
      .max(Limits.retries)
      .default(1)
      .describe('Attempts of a trial beyond the first. Attempts that were not its own failure do not count.'),
    backoffSeconds: z
      .int()
      .min(0)
      .max(Limits.backoffSeconds)
      .default(2)
      .describe(
        'Wait before the second attempt. It doubles with each further one, and is shortened at random by up to a half.',
      ),
    maxBackoffSeconds: z.int().min(0).max(Limits.backoffSeconds).default(60).describe('The longest wait.'),
    outcomes: z
      .array(z.enum(RETRYABLE_OUTCOMES))
      .max(RETRYABLE_OUTCOMES.length)
      .superRefine((values, context) => refuseRepetition(values, (index) => [index], context))
      .meta({ 'x-kubernetes-list-type': 'set' })
      .default(['Infrastructure'])
      .describe(
        "Outcomes that another attempt follows. A program's own verdict (TestFailed) is a result, and kept unless this says otherwise.",
      ),
  })
  .superRefine(({ backoffSeconds, maxBackoffSeconds }, context) => {
    if (maxBackoffSeconds < backoffSeconds)
      context.addIssue({ code: 'custom', path: ['maxBackoffSeconds'], message: BACKOFF_ORDER_RULE });
  })
  .meta(
    cel({
      // The API server checks the default of the whole, an empty object, before it fills in those of its fields.
      rule: '!has(self.maxBackoffSeconds) || !has(self.backoffSeconds) || self.maxBackoffSeconds >= self.backoffSeconds',
      message: BACKOFF_ORDER_RULE,
      fieldPath: '.maxBackoffSeconds',
    }),
  )
  .describe('Which attempts are followed by another one, and when.');

const NO_ZERO_IN_RULE = 'must not hold 0 when the operator is In: exit code 0 is no failure';

const failureRuleSchema = z
  .strictObject({
    action: z
      .enum(['FailVariant', 'Ignore', 'Retry'])
      .describe(
        'FailVariant fails the variant without running the rest of it; Ignore tries again without counting; Retry tries again up to retryPolicy.limit.',
      ),
    onExitCodes: z
      .strictObject({
        operator: z
          .enum(['In', 'NotIn'])
          .describe('Whether the rule is for the exit codes of values, or for all others.'),
        values: z
          .array(z.int().min(0).max(255))
          .min(1)
          .max(Limits.exitCodes)
          .superRefine((values, context) => refuseRepetition(values, (index) => [index], context))
          .meta({ 'x-kubernetes-list-type': 'set' })
          .describe('The exit codes.'),
      })
      .superRefine(({ operator, values }, context) => {
        if (operator === 'In' && values.includes(0))
          context.addIssue({ code: 'custom', path: ['values'], message: NO_ZERO_IN_RULE });
      })
      .meta(
        cel({
          rule: "self.operator != 'In' || !self.values.exists(code, code == 0)",
          message: NO_ZERO_IN_RULE,
          fieldPath: '.values',
        }),
      )
      .describe('Exit codes of the test program. 0 never counts as a failure.'),
  })
  .describe('What to do when the program fails with certain exit codes.');

const failurePolicySchema = z
  .strictObject({
    rules: z
      .array(failureRuleSchema)
      .min(1)
      .max(Limits.failureRules)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .describe('Looked at in order; the first that matches decides. Without a match retryPolicy does.'),
  })
  .describe('Rules for failures of the test program, as podFailurePolicy has them for Jobs.');

const resultsSchema = z
  .strictObject({
    push: z
      .boolean()
      .default(false)
      .describe(
        'True lets the program send its result by one HTTP POST to $BATCHTEST_RESULT_URL, for results of more than 4096 bytes. In a cluster its operator must serve that.',
      ),
  })
  .describe('How results are reported.');

const SHARED_DATA_NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const MOUNT_PATH = /^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;
// RFC 1123 subdomain, as the API server requires of most names.
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const OBJECT_NAME_RULE = 'must be a lower-case RFC 1123 subdomain: letters, digits, - and .';
const NAMESPACE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const NAMESPACE_NAME_RULE = 'must be a lower-case RFC 1123 label: letters, digits and -';
const ONE_SOURCE_RULE = 'needs exactly one of configMap and persistentVolumeClaim';
const MOUNTED_TWICE_RULE = 'mounts two entries at the same mountPath';

const objectName = z.string().max(253).regex(OBJECT_NAME, OBJECT_NAME_RULE);

const sharedDataEntrySchema = z
  .strictObject({
    name: z
      .string()
      .max(Limits.sharedDataNameLength)
      .regex(
        SHARED_DATA_NAME,
        'must begin with a lower-case letter and hold only lower-case letters, digits and -',
      )
      .describe('Name of the data, unique in the BatchTest; how the program asks for it.'),
    mountPath: z
      .string()
      .max(Limits.mountPathLength)
      .regex(
        MOUNT_PATH,
        'must be an absolute path whose parts hold only letters, digits, _, - and ., and do not begin with .',
      )
      .describe('Where the data is in the pod, unique in the BatchTest.'),
    configMap: z
      .strictObject({ name: objectName.describe("Name of a ConfigMap in the BatchTest's namespace.") })
      .optional()
      .describe('A ConfigMap: each of its keys is a file.'),
    persistentVolumeClaim: z
      .strictObject({
        claimName: objectName.describe("Name of a PersistentVolumeClaim in the BatchTest's namespace."),
      })
      .optional()
      .describe('A claim of a volume that as many nodes can mount as run trials at once.'),
    local: z
      .string()
      .min(1)
      .max(Limits.localPathLength)
      .optional()
      .describe("Folder or file that a local run uses in its place, relative to the manifest's folder."),
  })
  .superRefine(({ configMap, persistentVolumeClaim }, context) => {
    if ((configMap === undefined) === (persistentVolumeClaim === undefined))
      context.addIssue({ code: 'custom', path: [], message: ONE_SOURCE_RULE });
  })
  .meta(cel({ rule: 'has(self.configMap) != has(self.persistentVolumeClaim)', message: ONE_SOURCE_RULE }))
  .describe('Data that every trial reads.');

const sharedDataSchema = z
  .array(sharedDataEntrySchema)
  .min(1)
  .max(Limits.sharedData)
  .superRefine((list, context) => {
    refuseDuplicateNames(list, context);
    if (new Set(list.map(({ mountPath }) => mountPath)).size < list.length)
      context.addIssue({ code: 'custom', path: [], message: MOUNTED_TWICE_RULE });
  })
  .meta({
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    ...cel({
      rule: 'self.all(entry, self.exists_one(other, other.mountPath == entry.mountPath))',
      message: MOUNTED_TWICE_RULE,
    }),
  })
  .describe(
    'Data that is mounted read-only into every trial, by reference: nothing is copied per trial. See docs/reference/shared-data.md.',
  );

const optionalSeconds = (min: number) => z.int().min(min).max(Limits.runSeconds).optional();

/** Fields that decide what is compared or what a stored result means; they cannot change while a run is under way, nor after it. */
export const IMMUTABLE_FIELDS = [
  'workflowId',
  'variants',
  'matrix',
  'repetitions',
  'template',
  'objective',
  'retryPolicy',
  'failurePolicy',
  'reusePolicy',
  'comparison',
  'results',
  'sharedData',
  'execution',
] as const;

const immutable = (field: (typeof IMMUTABLE_FIELDS)[number]): CelRule => ({
  rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
  message: `${field} cannot be changed once the BatchTest exists: create another BatchTest`,
  reason: 'FieldValueForbidden',
  fieldPath: `.${field}`,
});

// CEL has no product over a list, so the factors are written out; the list has at most Limits.matrixParameters of them.
// The product of eight lists can exceed an int, hence doubles. A message that cannot show the number falls back.
const CEL_VARIANT_COUNT = (() => {
  const factor = (index: number): string =>
    `(size(self.matrix.parameters) > ${index} ? double(size(self.matrix.parameters[${index}].values)) : 1.0)`;
  const product = Array.from({ length: Limits.matrixParameters }, (_, index) => factor(index)).join(' * ');
  return `((has(self.variants) ? double(size(self.variants)) : 0.0) + (has(self.matrix) ? ${product} : 0.0))`;
})();
const CEL_TRIAL_COUNT = `${CEL_VARIANT_COUNT} * double(self.repetitions)`;

const tooManyVariants = (count: string): string =>
  `variants and matrix make ${count} variants; the limit is ${Limits.variants}`;
const tooManyTrials = (variants: string, repetitions: string, trials: string): string =>
  `${variants} variants times ${repetitions} repetitions make ${trials} trials; the limit is ${Limits.trials}`;
const NOT_IN_OBJECTIVE_RULE = 'must be a metric of the objective';
const NEEDS_VARIANTS = 'needs variants, a matrix, or both';
const NOTHING_TO_STOP_RULE = 'must be less than spec.repetitions: there would be nothing left to stop';

export const batchTestSpecSchema = z
  .strictObject({
    workflowId: displayName('workflowId', 128)
      .optional()
      .describe('Groups runs over time. Default: metadata.name.'),
    parallelism: z
      .int()
      .min(0)
      .max(Limits.parallelism)
      .default(1)
      .describe(
        'How many trials run at once. May be changed at any time; 0 starts nothing new and lets running trials finish.',
      ),
    repetitions: z
      .int()
      .min(1)
      .max(Limits.repetitions)
      .default(1)
      .describe('Trials per variant. They are interleaved in a random order whose seed is stored.'),
    trialDeadlineSeconds: z
      .int()
      .min(1)
      .max(Limits.trialDeadlineSeconds)
      .default(Defaults.trialDeadlineSeconds)
      .describe('How long one attempt may run; after that it is ended and counts as TimedOut.'),
    trialStartDeadlineSeconds: z
      .int()
      .min(1)
      .max(Limits.trialDeadlineSeconds)
      .default(Defaults.trialStartDeadlineSeconds)
      .describe(
        'How long one attempt may wait for its program to start (a node, an image); after that it is ended and counts as Infrastructure.',
      ),
    activeDeadlineSeconds: optionalSeconds(1).describe(
      'How long the whole run may take; after that it is ended as Failed. As with Jobs, the clock stops while the run is suspended and begins anew when it is resumed.',
    ),
    ttlSecondsAfterFinished: optionalSeconds(0).describe(
      'When the object is deleted after the end of its run. The results stay in Postgres. Default: never.',
    ),
    suspend: z
      .boolean()
      .default(false)
      .describe(
        'True ends what runs and starts nothing; results stay. Back to false, the run goes on with what is missing.',
      ),
    cancel: z
      .boolean()
      .default(false)
      .meta(
        cel({ rule: 'self || !oldSelf', message: 'cancel cannot be taken back: create another BatchTest' }),
      )
      .describe('True ends the run for good; results stay. Cannot be taken back.'),
    maxPending: z
      .int()
      .min(1)
      .max(Limits.parallelism)
      .optional()
      .describe('Nothing new starts while this many trials have been started and do not run yet.'),
    scaleDownPolicy: z
      .enum(['Drain', 'Preempt'])
      .default('Drain')
      .describe(
        'When parallelism is lowered: Drain lets running trials finish, Preempt ends the youngest and runs them again later.',
      ),
    maxFailedVariants: z
      .int()
      .min(0)
      .max(Limits.variants)
      .optional()
      .describe(
        'The run is ended as Failed when more than this many variants have failed; 0 with the first. Default: all are run.',
      ),
    retryPolicy: retryPolicySchema.prefault({}),
    failurePolicy: failurePolicySchema.optional(),
    podCleanupPolicy: z
      .enum(['Succeeded', 'Always', 'Never'])
      .default('Succeeded')
      .describe(
        'Which Jobs, or pods, are deleted once their result is stored: those that succeeded, all, or none. The others stay until the BatchTest is deleted.',
      ),
    execution: z
      .enum(['Job', 'Pod'])
      .default('Job')
      .describe(
        'What carries an attempt in a cluster: a Job, or a pod without a Job, which does not wait for the Job controller. It changes nothing of what is run; a local run ignores it. See docs/reference/execution.md.',
      ),
    reusePolicy: z
      .enum(['Never', 'Succeeded'])
      .default('Never')
      .describe(
        'Succeeded takes over stored results of earlier runs of the same workflowId whose template and parameters are the same, instead of running the trial again.',
      ),
    results: resultsSchema.prefault({}),
    sharedData: sharedDataSchema.optional(),
    variants: z
      .array(variantSchema)
      .min(1)
      .max(Limits.explicitVariants)
      .superRefine((list, context) => refuseDuplicateNames(list, context))
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional()
      .describe('Named variants.'),
    matrix: matrixSchema.optional(),
    template: podTemplateSchema.describe('The pod that runs one trial: an ordinary pod template.'),
    objective: objectiveSchema,
    comparison: comparisonSchema.prefault({}),
    local: localSchema.optional(),
  })
  .superRefine(({ objective, comparison }, context) => {
    const known = new Set(objective.metrics.map(({ name }) => name));
    const refuseUnknown = (metric: string, path: PropertyKey[]): void => {
      if (!known.has(metric))
        context.addIssue({
          code: 'custom',
          path: ['comparison', ...path],
          message: `${NOT_IN_OBJECTIVE_RULE} (it has ${[...known].join(', ')})`,
        });
    };
    for (const [index, { metric }] of (comparison.gates ?? []).entries())
      refuseUnknown(metric, ['gates', index, 'metric']);
    for (const [index, metric] of (comparison.tieBreak ?? []).entries())
      refuseUnknown(metric, ['tieBreak', index]);
  })
  .superRefine(({ repetitions, comparison: { earlyStopping } }, context) => {
    if (earlyStopping !== undefined && earlyStopping.minRepetitions >= repetitions)
      context.addIssue({
        code: 'custom',
        path: ['comparison', 'earlyStopping', 'minRepetitions'],
        message: NOTHING_TO_STOP_RULE,
      });
  })
  .superRefine((spec, context) => {
    if (spec.variants === undefined && spec.matrix === undefined) {
      context.addIssue({ code: 'custom', path: [], message: NEEDS_VARIANTS });
      return;
    }
    const variants = countBeforeExclusions(spec);
    if (variants > Limits.variants)
      context.addIssue({
        code: 'custom',
        path: [spec.matrix === undefined ? 'variants' : 'matrix'],
        message: tooManyVariants(String(variants)),
      });
    // Of repetitions that are too many by themselves enough is said.
    else if (spec.repetitions <= Limits.repetitions && variants * spec.repetitions > Limits.trials)
      context.addIssue({
        code: 'custom',
        path: ['repetitions'],
        message: tooManyTrials(
          String(variants),
          String(spec.repetitions),
          String(variants * spec.repetitions),
        ),
      });
  })
  .meta(
    cel(
      { rule: 'has(self.variants) || has(self.matrix)', message: NEEDS_VARIANTS },
      {
        rule: `${CEL_VARIANT_COUNT} <= ${Limits.variants}.0`,
        message: `variants and matrix make more than ${Limits.variants} variants`,
        messageExpression: `'${tooManyVariants('%d')}'.format([int(${CEL_VARIANT_COUNT})])`,
        fieldPath: '.matrix',
      },
      {
        rule: `${CEL_VARIANT_COUNT} > ${Limits.variants}.0 || ${CEL_TRIAL_COUNT} <= ${Limits.trials}.0`,
        message: `variants times repetitions make more than ${Limits.trials} trials`,
        messageExpression: `'${tooManyTrials('%d', '%d', '%d')}'.format([int(${CEL_VARIANT_COUNT}), self.repetitions, int(${CEL_TRIAL_COUNT})])`,
        fieldPath: '.repetitions',
      },
      ...(['gates', 'tieBreak'] as const).map(
        (field): CelRule => ({
          rule: `!has(self.comparison) || !has(self.comparison.${field}) || self.comparison.${field}.all(entry, self.objective.metrics.exists(metric, metric.name == ${field === 'gates' ? 'entry.metric' : 'entry'}))`,
          message: NOT_IN_OBJECTIVE_RULE,
          fieldPath: `.comparison.${field}`,
        }),
      ),
      {
        rule: '!has(self.comparison) || !has(self.comparison.earlyStopping) || self.comparison.earlyStopping.minRepetitions < self.repetitions',
        message: NOTHING_TO_STOP_RULE,
        fieldPath: '.comparison.earlyStopping.minRepetitions',
      },
      ...IMMUTABLE_FIELDS.map(immutable),
    ),
  );

/** The part of an object's metadata that a manifest is expected to have; the API server checks the rest. */
export const objectMetaSchema = z.looseObject({
  name: objectName,
  namespace: z.string().max(63).regex(NAMESPACE_NAME, NAMESPACE_NAME_RULE).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

export const batchTestSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  metadata: objectMetaSchema,
  spec: batchTestSpecSchema,
  // Present in what `kubectl get -o yaml` prints, so that such a file can be run again.
  status: z.unknown().optional(),
});

/** A BatchTest as a person writes it: defaults may be left out. */
export type BatchTestManifest = z.input<typeof batchTestSchema>;
/** A BatchTest that passed validation, with defaults filled in. */
export type BatchTest = z.output<typeof batchTestSchema>;
export type BatchTestSpec = z.output<typeof batchTestSpecSchema>;
export type Objective = BatchTestSpec['objective'];
export type ObjectiveMetric = Objective['metrics'][number];
export type Comparison = BatchTestSpec['comparison'];
export type EarlyStopping = NonNullable<Comparison['earlyStopping']>;
export type SharedData = NonNullable<BatchTestSpec['sharedData']>[number];
export type Gate = NonNullable<Comparison['gates']>[number];
export type { PodTemplate };

/** Explicit variants plus the product of the matrix, before `exclude` is applied; computed without expanding anything. */
export function countBeforeExclusions(spec: Pick<BatchTestSpec, 'variants' | 'matrix'>): number {
  const product =
    spec.matrix?.parameters.reduce((count, parameter) => count * parameter.values.length, 1) ?? 0;
  return (spec.variants?.length ?? 0) + product;
}

function refuseDuplicateNames(
  list: readonly { readonly name: string }[],
  context: z.core.$RefinementCtx,
): void {
  const names = list.map(({ name }) => name);
  refuseRepetition(names, (index) => [index, 'name'], context);
}
