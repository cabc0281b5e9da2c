#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# private_network.sh FOLDER: a private network without a route to the outside, and in FOLDER the machine's files with a private /data.
# Needs no root. Prints "ready" and stays until its standard input closes; the kernel then ends every process that was started in it.
set -eu
if [ "${2-}" != inside ]; then
    exec unshare --user --map-root-user --net --mount --pid --fork --kill-child --mount-proc "$0" "$1" inside
fi
root=$1

# A veth pair, since CHIP's mDNS ignores loopback. The far end only gives the near one its carrier.
ip link set lo up
ip link add near type veth peer name far
echo 1 >/proc/sys/net/ipv6/conf/far/disable_ipv6
echo 0 >/proc/sys/net/ipv6/conf/near/accept_dad # without duplicate address detection the address can be used at once
ip link set far up
ip link set near multicast on up
ip address add 192.0.2.1/24 dev near # reserved for documentation

# CHIP's wheel keeps its state in /data, which few machines have; over D-Bus, in /run, it would use the machine's radio.
mirror() { # the entries of one folder in another
    for entry in "$1"/*; do
        copy=$2/${entry##*/}
        case $entry in
        /data | /run | /data/chip_* | */\*) ;;
        *)
            if [ -h "$entry" ]; then
                cp -P "$entry" "$copy"
            elif [ -d "$entry" ]; then
                mkdir "$copy" && mount --rbind "$entry" "$copy"
            fi
            ;;
        esac
    done
}
mount -t tmpfs tmpfs "$root"
mkdir "$root/data" "$root/run"
mirror "" "$root"
mirror /data "$root/data"
exec chroot "$root" sh -c 'echo ready; exec cat >/dev/null'
