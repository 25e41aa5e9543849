import { stringify } from 'yaml';

/** Where a node keeps its files, and the addresses around it. */
export interface NodeLayout {
  /** Of its cgroup, and of the network interface of this machine that leads to it. */
  readonly name: string;
  readonly directory: string;
  /** This machine, as the node and its pods see it: the address of the Service "kubernetes". */
  readonly machineAddress: string;
  readonly servicesRange: string;
  readonly nodeAddress: string;
  readonly podsRange: string;
}

export const NODE_NAME = 'real-node';
export const SANDBOX_IMAGE = 'docker.io/batchtest-e2e/pause:1';

/** /etc/containerd/config.toml of the node. Values are paths and names without quotes; JSON strings are TOML strings then. */
export const containerdConfiguration = ({ directory }: NodeLayout): string => `version = 2
root = ${JSON.stringify(`${directory}/containerd`)}
state = "/run/containerd"
[grpc]
address = ${JSON.stringify(`${directory}/containerd.sock`)}
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = ${JSON.stringify(SANDBOX_IMAGE)}
# Without it, a machine that gives root no CAP_SYS_RESOURCE could start no sandbox.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = ${JSON.stringify(`${directory}/cni`)}
`;

/** The one network of pods: a bridge that is their gateway. */
export const networkConfiguration = ({ podsRange }: NodeLayout): string =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'pods',
        isGateway: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: podsRange }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
    ],
  });

export const kubeletConfiguration = ({ name, directory, nodeAddress }: NodeLayout): string =>
  stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: nodeAddress,
    containerRuntimeEndpoint: `unix://${directory}/containerd.sock`,
    podLogsDir: `${directory}/pod-logs`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${name}`,
    failCgroupV1: false,
    failSwapOn: false,
    // Nothing answers there: no name is looked up in these tests.
    clusterDNS: [nodeAddress],
    resolvConf: '',
    // Images came from files and cannot be pulled again, however full the disk of this machine is.
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '50Mi' },
  });
