# SPDX-License-Identifier: Apache-2.0
"""A file of people. A PIN takes 50 ms to keep, so that it takes long to guess: a worker makes each file's content once."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from station.adapters.system.people_file import PeopleFile
from station.domain.people import Role


@cache
def _content(people: tuple[tuple[str, Role, str], ...]) -> bytes:
    with TemporaryDirectory() as folder:
        file = PeopleFile(Path(folder) / "people.json")
        for name, role, pin in people:
            file.add(name, role, pin)
        return file.path.read_bytes()


def people_file(path: Path, *people: tuple[str, Role, str]) -> PeopleFile:
    """A file at this path with these people: name, role and PIN of each."""
    path.touch(0o600)
    path.write_bytes(_content(people))
    return PeopleFile(path)
