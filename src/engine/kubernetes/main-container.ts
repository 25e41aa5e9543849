/** Names the container that is the test program, on a template and on its pod, when it is not the first. kubectl's own annotation. */
export const MAIN_CONTAINER_ANNOTATION = 'kubectl.kubernetes.io/default-container';
