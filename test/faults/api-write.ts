/**
 * The name of a write to the API server, such as `POST jobs` or `PATCH batchtests/status`; undefined for what only reads. Writes of one
 * name differ in their object only, so `POST jobs` number 3 is the same moment of every run of a scenario.
 */
export function apiWriteName(method: string, url: string): string | undefined {
  if (method === 'GET') return undefined;
  const path = new URL(url, 'http://proxy').pathname;
  const [, resource = path, , subresource] =
    /\/namespaces\/[^/]+\/([^/]+)(\/[^/]+)?(?:\/([^/]+))?$/.exec(path) ?? [];
  return `${method} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
}

/** Renewals of a Lease say nothing about runs. */
export const isLeaseWrite = (name: string): boolean => name.endsWith(' leases');
