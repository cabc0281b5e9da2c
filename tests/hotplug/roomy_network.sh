#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# roomy_network.sh COMMAND…: runs it, as root, in a network of its own whose local sockets take more than ten messages.
# umockdev sends its events through such a socket and ends when it is full, where the kernel's netlink has megabytes.
set -eu
if [ "${1-}" != inside ]; then
    exec unshare --net "$0" inside "$@"
fi
shift
echo 4096 >/proc/sys/net/unix/max_dgram_qlen
ip link set lo up
exec "$@"
