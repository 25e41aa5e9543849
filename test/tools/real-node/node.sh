#!/bin/sh
# A node in namespaces of its own. When this script is told to end, or is killed, the kernel ends every process of the node and takes its mounts,
# bridges and network namespaces with it. Only cgroups are left then, which have no process any more; they are removed last.
# Usage: node.sh NAME CONFIGURATION SERVICES_ADDRESS NODE_ADDRESS PODS_RANGE
set -eu
name=$1 configuration=$2 services=$3 node=$4 pods=$5
here=$(dirname "$0")

cgroup_mounts() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }
end() {
  trap '' TERM
  kill -KILL "$init" 2>/dev/null || true
  wait "$init" || true
  for mount in $(cgroup_mounts); do
    # A cgroup is busy for a moment after its last process has ended.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      [ -d "$mount/$name" ] || break
      find "$mount/$name" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
  done
}

for mount in $(cgroup_mounts); do mkdir -p "$mount/$name"; done
# Killed as well when this script is: it could not do so itself then.
setpriv --pdeathsig KILL unshare --mount --pid --net --ipc --uts --fork --kill-child=KILL --mount-proc --propagation private \
  sh "$here/inside-node.sh" "$configuration" "$services" "$node" &
init=$!
trap 'end; exit 143' TERM
while [ "$(readlink "/proc/$init/ns/net")" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done

# The one way between the node and this machine. It goes with the node's network namespace.
ip link add "$name" type veth peer name uplink netns "$init"
ip address add "$services" peer "$node/32" dev "$name"
ip link set "$name" up
ip route add "$pods" via "$node"

status=0
wait "$init" || status=$?
end
exit "$status"
