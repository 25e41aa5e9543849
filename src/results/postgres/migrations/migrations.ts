import type { Migration } from 'kysely';
import { tables } from './0001-tables.ts';
import { writes } from './0002-writes.ts';
import { views } from './0003-views.ts';
import { runControl } from './0004-run-control.ts';
import { comparison } from './0005-comparison.ts';
import { delivery } from './0006-delivery.ts';
import { pushedResults } from './0007-pushed-results.ts';
import { pruningAndCopies } from './0008-pruning-and-copies.ts';
import { preciseRanks } from './0009-precise-ranks.ts';
import { ownNamespaces } from './0010-own-namespaces.ts';
import { deletionInParts } from './0011-deletion-in-parts.ts';
import { sparedMeasures } from './0012-spared-measures.ts';
import { sparedArtifacts } from './0013-spared-artifacts.ts';
import { reusableResults } from './0014-reusable-results.ts';

/** Every migration by its name, in the order of the names. One that was released is never changed: the next one follows it. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-tables': tables,
  '0002-writes': writes,
  '0003-views': views,
  '0004-run-control': runControl,
  '0005-comparison': comparison,
  '0006-delivery': delivery,
  '0007-pushed-results': pushedResults,
  '0008-pruning-and-copies': pruningAndCopies,
  '0009-precise-ranks': preciseRanks,
  '0010-own-namespaces': ownNamespaces,
  '0011-deletion-in-parts': deletionInParts,
  '0012-spared-measures': sparedMeasures,
  '0013-spared-artifacts': sparedArtifacts,
  '0014-reusable-results': reusableResults,
};
