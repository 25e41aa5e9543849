import type { V1PodTemplateSpec } from '@kubernetes/client-node';
import * as z from 'zod';
import { RESERVED_ENVIRONMENT_PREFIX } from './constants.ts';
import { corePodTemplateSchema } from './pod-template.generated.ts';
import type { StructuralSchema } from './structural-schema.ts';
import { zodFromStructural } from './structural-to-zod.ts';

/** An ordinary pod template, as of core/v1. There, its spec may be left out; here, that would be a trial without a program. */
export type PodTemplate = V1PodTemplateSpec & Required<Pick<V1PodTemplateSpec, 'spec'>>;

/** The API server bounds the cost of a CEL rule by the length of the lists that it looks into. */
const MAX_CONTAINERS = 64;
const MAX_ENVIRONMENT_ENTRIES = 1_000;

const RESERVED_NAME_MESSAGE = `must not begin with ${RESERVED_ENVIRONMENT_PREFIX}, which is reserved`;

/** core/v1 PodTemplateSpec with the rules that a trial's pod obeys besides. */
export const podTemplateStructuralSchema: StructuralSchema = {
  ...withFields(corePodTemplateSchema, {
    spec: (spec) =>
      withFields(spec, {
        restartPolicy: (policy) => ({ ...policy, enum: ['Never'] }),
        containers: (containers) => ({ ...containerList(containers), minItems: 1 }),
        initContainers: containerList,
      }),
  }),
  required: ['spec'],
};

function containerList(containers: StructuralSchema): StructuralSchema {
  const container = withFields(itemsOf(containers), {
    env: (env) => ({
      ...env,
      maxItems: MAX_ENVIRONMENT_ENTRIES,
      items: withFields(itemsOf(env), {
        name: (name) => ({
          ...name,
          'x-kubernetes-validations': [
            { rule: `!self.startsWith('${RESERVED_ENVIRONMENT_PREFIX}')`, message: RESERVED_NAME_MESSAGE },
          ],
        }),
      }),
    }),
  });
  return { ...containers, maxItems: MAX_CONTAINERS, items: container };
}

function itemsOf(list: StructuralSchema): StructuralSchema {
  if (list.items === undefined)
    throw new Error('the pod template of core/v1 has changed: a list has no items');
  return list.items;
}

type FieldChanges = Readonly<Record<string, (field: StructuralSchema) => StructuralSchema>>;

/** The schema with some of its fields changed. Throws when it lacks one, as after an incompatible regeneration. */
function withFields(schema: StructuralSchema, changes: FieldChanges): StructuralSchema {
  const properties = { ...schema.properties };
  for (const [name, change] of Object.entries(changes)) {
    const field = properties[name];
    if (field === undefined) throw new Error(`the pod template of core/v1 has changed: no field ${name}`);
    properties[name] = change(field);
  }
  return { ...schema, properties };
}

const validator = zodFromStructural(podTemplateStructuralSchema);

/**
 * Refuses what the API server would refuse, and leaves the value as it is: no default is filled in, because a variant's
 * identity hashes the template. Its JSON schema, for the CRD, is `podTemplateStructuralSchema`.
 */
export const podTemplateSchema = z
  .custom<PodTemplate>()
  .superRefine((template, context) => {
    const { error } = validator.safeParse(template);
    for (const issue of error?.issues ?? []) context.issues.push(unworded(issue));
    if (error === undefined) refuseReservedNames(template, context);
  })
  .meta({ ...podTemplateStructuralSchema });

/** Without its message, an issue is worded by whoever validates the whole manifest, like every other issue. */
function unworded(issue: z.core.$ZodIssue): z.core.$ZodRawIssue {
  return { ...issue, input: undefined, message: issue.code === 'custom' ? issue.message : undefined };
}

function refuseReservedNames(template: PodTemplate, context: z.core.$RefinementCtx): void {
  for (const list of ['initContainers', 'containers'] as const)
    for (const [index, container] of (template.spec[list] ?? []).entries())
      for (const [entry, { name }] of (container.env ?? []).entries())
        if (name.startsWith(RESERVED_ENVIRONMENT_PREFIX))
          context.addIssue({
            code: 'custom',
            path: ['spec', list, index, 'env', entry, 'name'],
            message: RESERVED_NAME_MESSAGE,
          });
}
