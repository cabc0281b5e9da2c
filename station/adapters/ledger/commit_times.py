# SPDX-License-Identifier: Apache-2.0
"""How long commits take, counted by duration. Pure; the writer's thread adds, and others read."""

from bisect import bisect_left

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Seconds, each the longest of its bucket: from a fast disk to a full one that somebody clears."""


class CommitTimes:
    """`counts` has one number for each bucket, and one for all that took longer."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds
