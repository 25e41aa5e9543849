import type { V1Container, V1PodSpec } from '@kubernetes/client-node';

/**
 * Fills in what the restricted Pod Security Standard asks for where the template says nothing. What the template says stays: whether
 * it is allowed is the namespace's business. https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export function withRestrictedDefaults(spec: V1PodSpec): V1PodSpec {
  // Windows has neither seccomp profiles nor capabilities, and the API server refuses them there.
  const isWindows = spec.os?.name === 'windows';
  const context = spec.securityContext ?? {};
  return {
    ...spec,
    // A test program has no business with the API server.
    automountServiceAccountToken: spec.automountServiceAccountToken ?? false,
    securityContext: {
      ...(wantsRoot(spec) ? {} : { runAsNonRoot: true }),
      ...(isWindows ? {} : { seccompProfile: { type: 'RuntimeDefault' } }),
      ...context,
    },
    containers: spec.containers.map((container) => (isWindows ? container : restricted(container))),
    ...(spec.initContainers === undefined
      ? {}
      : {
          initContainers: spec.initContainers.map((container) =>
            isWindows ? container : restricted(container),
          ),
        }),
  };
}

/** Who asks for user 0 by number would only be told by the kubelet that it is root. */
const wantsRoot = ({ securityContext, containers, initContainers }: V1PodSpec): boolean =>
  [{ securityContext }, ...containers, ...(initContainers ?? [])].some(
    (owner) => owner.securityContext?.runAsUser === 0,
  );

function restricted(container: V1Container): V1Container {
  const context = container.securityContext ?? {};
  const { add = [], ...capabilities } = context.capabilities ?? {};
  // The API server refuses to forbid escalation to a container that is privileged or as good as that.
  const isPrivileged = context.privileged === true || add.some((name) => /^(CAP_)?SYS_ADMIN$/.test(name));
  if (isPrivileged) return container;
  return {
    ...container,
    securityContext: {
      allowPrivilegeEscalation: false,
      ...context,
      capabilities: { drop: ['ALL'], ...capabilities, ...(add.length > 0 ? { add } : {}) },
    },
  };
}
