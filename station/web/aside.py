# SPDX-License-Identifier: Apache-2.0
"""The page's own threads, for what would hold up the loop.

The line's threads are others: a verdict and a new identity wait for theirs, however many people ask how much of a large ledger at once.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="page")

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


async def aside(work: Callable[Asked, Answer], /, *args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
    """What the work comes to, as `asyncio.to_thread` has it; it waits for its turn."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, lambda: work(*args, **kwargs))
