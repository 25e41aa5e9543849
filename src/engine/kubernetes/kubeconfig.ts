/** Of @kubernetes/client-node what is needed, in a module of its own: the bundle then leaves the rest away, thousands of typed models. */
export { KubeConfig } from '@kubernetes/client-node';
