import { expect, onTestFinished } from 'vitest';
import type { ClusterClient } from '../tools/cluster-client.ts';

const GROUP = '/apis/admissionregistration.k8s.io/v1';

export interface Denial {
  readonly name: string;
  /** What it is about, as a ValidatingAdmissionPolicy has it. */
  readonly matchConstraints: object;
  /** In CEL, false for what is denied, with this message. */
  readonly validation: { readonly expression: string; readonly message: string };
  /** Where, and of what, a dry run is denied once the policy holds. */
  readonly collection: string;
  readonly denied: object;
}

/** Makes a policy that goes with the test. It takes effect a moment after it was made; resolves when it has, which dry runs tell: they start nothing. */
export async function aDenyingPolicy(
  cluster: ClusterClient,
  { name, matchConstraints, validation, collection, denied }: Denial,
): Promise<void> {
  const policies = `${GROUP}/validatingadmissionpolicies`;
  const bindings = `${GROUP}/validatingadmissionpolicybindings`;
  await cluster.request('POST', policies, {
    metadata: { name },
    spec: { matchConstraints, validations: [validation] },
  });
  await cluster.request('POST', bindings, {
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  });
  onTestFinished(async () => {
    await cluster.request('DELETE', `${bindings}/${name}`);
    await cluster.request('DELETE', `${policies}/${name}`);
  });
  await expect
    .poll(
      () =>
        cluster.request('POST', `${collection}?dryRun=All`, denied).then(
          () => 'allowed',
          () => 'denied',
        ),
      { timeout: 20_000 },
    )
    .toBe('denied');
}
