# SPDX-License-Identifier: Apache-2.0
"""The shortest story that still fails: delta debugging over the disturbances of a campaign. Pure.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", with a bound on the runs, since each run is a campaign.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

T = TypeVar("T")
MOST_RUNS = 40


@dataclass(frozen=True, slots=True)
class Shrunk(Generic[T]):
    """The story that is left. `is_minimal`: without any one of its parts it no longer fails."""

    story: tuple[T, ...]
    runs: int
    is_minimal: bool


class _Spent(Exception):
    """All runs are used up."""


def shrunk(story: Sequence[T], fails: Callable[[Sequence[T]], bool], most_runs: int = MOST_RUNS) -> Shrunk[T]:
    """Removes parts of a story that fails for as long as the rest fails; asks `fails` at most so many times.

    The order of the parts stays. A run that no longer fails by luck only costs shortness: what is returned has failed.
    """
    runs, asked = 0, dict[tuple[int, ...], bool]()

    def still_fails(parts: tuple[int, ...]) -> bool:
        nonlocal runs
        if parts not in asked:
            if runs == most_runs:
                raise _Spent
            runs += 1
            asked[parts] = fails([story[part] for part in parts])
        return asked[parts]

    left, pieces, is_minimal = tuple(range(len(story))), 2, False
    try:
        if left and still_fails(()):  # it fails undisturbed
            left = ()
        while len(left) > 1:
            shorter = _shorter(left, pieces, still_fails)
            if shorter is not None:
                left, pieces = shorter, 2 if len(shorter) * 2 < len(left) else max(2, pieces - 1)
            elif pieces >= len(left):
                break
            else:
                pieces = min(len(left), 2 * pieces)
        is_minimal = True
    except _Spent:
        pass
    return Shrunk(tuple(story[part] for part in left), runs, is_minimal)


def shortest(story: Sequence[T], fails: Callable[[Sequence[T]], bool], most_runs: int = MOST_RUNS) -> list[T]:
    """Only the story that `shrunk` finds."""
    return list(shrunk(story, fails, most_runs).story)


def _shorter(
    left: tuple[int, ...], pieces: int, still_fails: Callable[[tuple[int, ...]], bool]
) -> tuple[int, ...] | None:
    """One of so many pieces that fails alone, or else all but one that fail."""
    cuts = [len(left) * cut // pieces for cut in range(pieces + 1)]
    parts = [left[begin:end] for begin, end in pairwise(cuts)]
    for part in parts:
        if still_fails(part):
            return part
    for part in parts if pieces > 2 else ():
        rest = tuple(each for each in left if each not in set(part))
        if still_fails(rest):
            return rest
    return None


def told(seed: int, story: Sequence[object], whole: int, command: str) -> str:
    """What a failed campaign prints."""
    lines = [f"seed {seed}: {len(story)} of {whole} disturbances are enough to fail:"]
    lines += [f"  {number}. {each}" for number, each in enumerate(story, 1)]
    return "\n".join([*lines, f"again: {command}"])
