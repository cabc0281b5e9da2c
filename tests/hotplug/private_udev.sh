#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# private_udev.sh COMMAND…: runs it where events come from nobody else, and libudev finds a udev that seems to run. Needs no root.
set -eu
if [ "${1-}" != inside ]; then
    exec unshare --user --map-root-user --net --mount "$0" inside "$@"
fi
shift
mount -t tmpfs tmpfs /run
mkdir /run/udev
touch /run/udev/control
exec "$@"
