import { createReadStream, existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CONTROL_PLANE_FILES } from './component-launch.ts';

/** Which requests the API server logs, and how much of them: the first rule that fits. */
export interface AuditPolicy {
  readonly rules: readonly {
    readonly level: 'None' | 'Metadata' | 'Request';
    readonly userGroups?: readonly string[];
    readonly verbs?: readonly string[];
    readonly resources?: readonly { readonly group: string; readonly resources: readonly string[] }[];
  }[];
}

/** One stage of a request, as far as tests read it (audit.k8s.io/v1). */
export interface AuditEvent {
  readonly stage: 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  /** As RBAC has it: a watch is no list, and a deletion of many is a deletecollection. */
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
  /** Undefined for a URL that is no resource, such as /version. */
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code: number; readonly message?: string };
  /** From the level Request on. */
  readonly requestObject?: unknown;
}

export const writeAuditPolicy = (directory: string, { rules }: AuditPolicy): Promise<void> =>
  writeFile(
    join(directory, CONTROL_PLANE_FILES.auditPolicy),
    JSON.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      // Nothing is known of a request yet when it arrives.
      omitStages: ['RequestReceived'],
      rules,
    }),
  );

/** Everything logged so far. The last line may be half written. It is read line by line: a log may be longer than a string can be. */
export async function readAuditLog(directory: string): Promise<readonly AuditEvent[]> {
  const file = join(directory, CONTROL_PLANE_FILES.auditLog);
  if (!existsSync(file)) return [];
  const events: AuditEvent[] = [];
  let last = '';
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (last !== '') events.push(JSON.parse(last));
    last = line;
  }
  if (isJson(last)) events.push(JSON.parse(last));
  return events;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
