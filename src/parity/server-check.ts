/** What an API server says to objects that it is asked to admit and not to keep. */
export type ServerCheck =
  /** No server could be asked; why, as a sentence. */
  | { readonly kind: 'NoCluster'; readonly message: string }
  | {
      readonly kind: 'Checked';
      /** URL of the API server. */
      readonly server: string;
      readonly namespace: string;
      readonly objects: readonly CheckedObject[];
    };

export interface CheckedObject {
  /** `Pod` is also the one that a Job would make, since some rules are for pods only. */
  readonly kind: 'BatchTest' | 'Job' | 'Pod';
  /** `NotAllowed`: the one who asks may not create such objects, so that nothing can be said. */
  readonly outcome: 'Accepted' | 'Refused' | 'NotAllowed';
  /** The server's own words; null for what is accepted. */
  readonly message: string | null;
}
