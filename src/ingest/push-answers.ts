/** The reasons with which a push is answered, all that there are: docs/reference/test-program.md explains them. */
export const PUSH_ANSWERS = [
  'Stored',
  'TokenMissing',
  'TokenNotValid',
  'NotATrial',
  'PushNotEnabled',
  'AttemptEnded',
  'RunOver',
  'NoSuchRun',
  'OtherResultStored',
  'ResultTooLarge',
  'EncodingNotSupported',
  'ResultUnusable',
  'TooManyPushes',
  'Busy',
  'NotNow',
  'ResultStoreUnavailable',
  'NotFound',
  'MethodNotAllowed',
  'Aborted',
  'InternalError',
] as const;
export type PushAnswer = (typeof PUSH_ANSWERS)[number];
