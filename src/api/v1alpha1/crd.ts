import { GROUP, KIND, PLURAL, VERSION } from './constants.ts';
import { batchTestSpecSchema } from './schema.ts';
import { batchTestStatusSchema } from './status.ts';
import type { StructuralSchema } from './structural-schema.ts';
import { structuralFromZod } from './zod-to-structural.ts';

interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  /** 1: only with `-o wide`. */
  readonly priority?: 1;
}

/** What `kubectl get batchtests` shows. */
const PRINTER_COLUMNS: readonly PrinterColumn[] = [
  {
    name: 'State',
    type: 'string',
    // kubectl shows the first condition that is true: status.conditions is ordered with that in mind.
    jsonPath: '.status.conditions[?(@.status=="True")].type',
    description: 'Progressing, Suspended, Complete, Failed or Cancelled.',
  },
  column('Succeeded', 'integer', '.status.trials.succeeded', 'Trials that succeeded.'),
  column('Failed', 'integer', '.status.trials.failed', 'Trials that failed.'),
  column('Total', 'integer', '.status.trials.total', 'Trials of the whole run.'),
  column('Best', 'string', '.status.best.name', 'The best variant so far.'),
  column('Age', 'date', '.metadata.creationTimestamp', 'Time since creation.'),
  wideColumn('Score', 'string', '.status.best.score', 'Score of the best variant, between 0 and 1.'),
  wideColumn('Running', 'integer', '.status.trials.running', 'Trials that have a live attempt.'),
  wideColumn('Parallelism', 'integer', '.spec.parallelism', 'How many trials run at once.'),
  wideColumn('Variants', 'integer', '.status.variants.total', 'Variants of the run.'),
  wideColumn('Finished', 'date', '.status.completionTime', 'When the run ended.'),
];

function column(
  name: string,
  type: PrinterColumn['type'],
  jsonPath: string,
  description: string,
): PrinterColumn {
  return { name, type, jsonPath, description };
}

function wideColumn(
  name: string,
  type: PrinterColumn['type'],
  jsonPath: string,
  description: string,
): PrinterColumn {
  return { name, type, jsonPath, description, priority: 1 };
}

/** The structural schema of a whole BatchTest: of its manifest, and of the object in the API server. */
export function batchTestStructuralSchema(): StructuralSchema {
  return {
    type: 'object',
    description: 'Runs one test program once per variant and says which variant is best.',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: { description: 'What to run and how to compare it.', ...structuralFromZod(batchTestSpecSchema) },
      status: {
        description: 'How far the run is. Written by the operator.',
        ...structuralFromZod(batchTestStatusSchema),
      },
    },
  };
}

/** The CustomResourceDefinition of BatchTest. */
export function batchTestCrd() {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: 'batchtest',
        shortNames: ['bt'],
      },
      scope: 'Namespaced',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.parallelism', statusReplicasPath: '.status.trials.running' },
          },
          additionalPrinterColumns: PRINTER_COLUMNS,
          schema: { openAPIV3Schema: batchTestStructuralSchema() },
        },
      ],
    },
  };
}
