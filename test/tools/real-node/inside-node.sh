#!/bin/sh
# The first process of a node, in the namespaces that node.sh has made: the network, then containerd with the images, then the kubelet.
# Usage: inside-node.sh CONFIGURATION SERVICES_ADDRESS NODE_ADDRESS
set -eu
configuration=$1 services=$2 node=$3
socket=$configuration/containerd.sock

# Pods' mounts must be seen by the kubelet, and by nobody outside.
mount --make-rshared /
# Where programs keep what no option moves elsewhere.
for folder in /run /var/lib /var/log; do mount -t tmpfs tmpfs "$folder"; done
# Settings of the whole machine that a kubelet insists on. It reads what it wants to see, and changes nothing.
while read -r setting value; do
  echo "$value" >"$configuration/setting-$(basename "$setting")"
  mount --bind "$configuration/setting-$(basename "$setting")" "/proc/sys/$setting"
done <<SETTINGS
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SETTINGS

until [ -e /proc/sys/net/ipv4/conf/uplink ]; do sleep 0.05; done
ip link set lo up
ip address add "$node" peer "$services/32" dev uplink
ip link set uplink up
ip route add default via "$services"
echo 1 >/proc/sys/net/ipv4/ip_forward

containerd --config "$configuration/containerd.toml" >"$configuration/containerd.log" 2>&1 &
until ctr --address "$socket" version >/dev/null 2>&1; do
  kill -0 $! || exit 1
  sleep 0.1
done
for archive in "$configuration"/images/*.tar; do
  ctr --address "$socket" --namespace k8s.io images import "$archive"
  # Room for the next.
  rm "$archive"
done
"$configuration/kubelet" --config="$configuration/kubelet.yaml" --kubeconfig="$configuration/kubelet.kubeconfig" \
  --root-dir="$configuration/kubelet-data" --cert-dir="$configuration/kubelet-certificates" \
  --hostname-override=real-node --node-ip="$node"
