/** What a pod gets that may push its result: a token for our audience, bound to the pod, in a volume of its program alone. */
import type { V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import { GROUP } from '../../api/v1alpha1/constants.ts';
import type { PushTarget } from '../further-variables.ts';

/** Where the operator's ingest is, as pods reach it. */
export interface ResultIngestAddress {
  /** Of the result itself: `http://batchtest-ingest.batchtest.svc:8082/v1/result`. */
  readonly url: string;
  /** Certificates (PEM) by which pods check the server's; undefined for http, and for one that their images trust already. */
  readonly certificateAuthority: string | undefined;
}

/** The audience of the tokens that pods push results with: no other server takes them, and ours takes no others. */
export const RESULT_TOKEN_AUDIENCE = `${GROUP}/results`;

/** Carries the certificates to the pod, which a volume makes a file of. */
export const ANNOTATION_RESULT_CA = `${GROUP}/result-ca`;

const VOLUME = 'batchtest-result';
const FOLDER = '/var/run/secrets/batchtest.dev/result';
/** The kubelet renews it when four fifths of that have passed, for as long as the pod lives. */
const TOKEN_SECONDS = 3_600;

/** As the program sees it. */
export const pushTarget = ({ url, certificateAuthority }: ResultIngestAddress): PushTarget => ({
  url,
  tokenFile: `${FOLDER}/token`,
  caFile: certificateAuthority === undefined ? undefined : `${FOLDER}/ca.crt`,
});

export const RESULT_VOLUME_MOUNT: V1VolumeMount = { name: VOLUME, mountPath: FOLDER, readOnly: true };

export const resultVolume = ({ certificateAuthority }: ResultIngestAddress): V1Volume => ({
  name: VOLUME,
  projected: {
    sources: [
      {
        serviceAccountToken: {
          audience: RESULT_TOKEN_AUDIENCE,
          expirationSeconds: TOKEN_SECONDS,
          path: 'token',
        },
      },
      ...(certificateAuthority === undefined
        ? []
        : [
            {
              downwardAPI: {
                items: [
                  {
                    path: 'ca.crt',
                    fieldRef: { fieldPath: `metadata.annotations['${ANNOTATION_RESULT_CA}']` },
                  },
                ],
              },
            },
          ]),
    ],
  },
});
