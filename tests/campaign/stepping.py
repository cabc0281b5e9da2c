# SPDX-License-Identifier: Apache-2.0
"""The clock of a station's PC, which a person or NTP sets while the station works.

A library that is loaded before libc's adds to each wall-clock time of a daemon; the monotonic clocks go on. The bench, the
PKI and the referee keep the real time.
"""

import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HOURS, DAYS = 3600, 86_400
STEPS = (4 * HOURS, -4 * HOURS, 2 * DAYS, -2 * DAYS)
"""Seconds, each longer than a campaign, so that a time shows by which of them it is wrong. The station must notice a day."""
_FILE = "CAMPAIGN_CLOCK"
_SECONDS = struct.Struct("<q")
_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead; /* seconds; NULL in a process that keeps the real time */

__attribute__((constructor)) static void begin(void) {
    static const char daemon[] = "\0station\0run"; /* its last NUL, too */
    char command[4096];
    const char *name = getenv("CAMPAIGN_CLOCK");
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, command, sizeof command);
    if (file >= 0) close(file);
    if (!name || size <= 0 || !memmem(command, (size_t)size, daemon, sizeof daemon)) return;
    if ((file = open(name, O_RDONLY | O_CLOEXEC)) < 0) abort();
    void *page = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) abort();
    close(file);
    ahead = page;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, id, now);
    if (!failed && ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    if (to) *to = exact.tv_sec;
    return exact.tv_sec;
}
"""


@dataclass(frozen=True, slots=True)
class SteppedClock:
    """The wall clock of all daemons that are started with its environment."""

    folder: Path

    @property
    def _file(self) -> Path:
        return self.folder / "clock"

    def built(self) -> Mapping[str, str]:
        """Builds the library. Returns the environment variables that load it."""
        source, library = self.folder / "clock.c", self.folder / "clock.so"
        source.write_text(_SOURCE, encoding="ascii")
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library, source], check=True
        )
        self._file.write_bytes(_SECONDS.pack(0))
        return {"LD_PRELOAD": str(library), _FILE: str(self._file)}

    @contextmanager
    def stepped(self, seconds: int) -> Iterator[None]:
        """For the block, the clock is so many seconds ahead, or behind."""
        self._set(seconds)
        try:
            yield
        finally:
            self._set(0)

    def _set(self, seconds: int) -> None:
        with self._file.open("r+b", buffering=0) as file:  # in place, since the daemons have the file's page
            file.write(_SECONDS.pack(seconds))
