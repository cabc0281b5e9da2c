# SPDX-License-Identifier: Apache-2.0
"""Takes a resource away from this process, for a block."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count


@contextmanager
def descriptors_left(number: int) -> Iterator[None]:
    """Lets this process open only that many more descriptors."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = (descriptor for descriptor in count() if not _is_open(descriptor))
    limit = [next(free) for _ in range(number + 1)][-1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
