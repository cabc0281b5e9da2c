"""Files that others have made, read whole: no pipe that nobody writes to holds up who reads, and none is larger than it may be."""

import errno
import os
import stat
from pathlib import Path

LARGEST = 64 << 20  # bytes: the boards' whole flash has 17 MB


def read(path: Path, largest: int = LARGEST, *, follow_links: bool = True) -> bytes:
    """What is in a regular file; raises `OSError` for anything else, whose `strerror` says what is wrong with it."""
    if not stat.S_ISREG(path.stat(follow_symlinks=follow_links).st_mode):  # to open a device may do something to it
        raise _refused(path, errno.EINVAL, "is not a regular file")
    links = 0 if follow_links else os.O_NOFOLLOW
    # The file may be another one by now, so it is opened without waiting, and looked at again.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | links)
    with open(descriptor, "rb") as file:  # noqa: PTH123  pathlib cannot open a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refused(path, errno.EINVAL, "is not a regular file")
        content = file.read(largest + 1)
    return _bounded(path, content, largest)


def read_stream(path: Path, largest: int = LARGEST) -> bytes:
    """What somebody at a command line has named: a file, or a pipe that their shell fills. Raises `OSError`."""
    with path.open("rb") as file:
        return _bounded(path, file.read(largest + 1), largest)


def _bounded(path: Path, content: bytes, largest: int) -> bytes:
    if len(content) > largest:
        raise _refused(path, errno.EFBIG, f"has more than {largest} bytes")
    return content


def _refused(path: Path, number: int, text: str) -> OSError:
    return OSError(number, text, str(path))
