/** How fast the controller manager, and a contender that has such limits, may ask: as they are shipped, or as a tuned cluster has them. */
export const LIMITS = ['stock', 'raised'] as const;
export type Limits = (typeof LIMITS)[number];
