# SPDX-License-Identifier: Apache-2.0
"""Every asynchronous test runs on the daemon's event loop; in CI no test is skipped."""

import logging
import os
import re
import signal
import subprocess
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import chain, combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import AnyStr

import pytest
import uvloop
from _pytest.mark.expression import Expression
from hypothesis import settings
from pytest_asyncio.plugin import LoopFactory

from tests.builders import warm
from tests.builders.tokens import Tokens
from tests.builders.warm import WarmPrograms

# If a script starts the tests in the background, they ignore SIGINT, and so would every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Images of containers set this. Each of the thousand processes that the tests start would compile all its modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A property is right on a busy machine, too, where an example may take longer than Hypothesis's 0.2 s.
settings.register_profile("patient", settings(), deadline=None)  # else as Hypothesis has it: in CI nothing by chance
settings.load_profile("patient")

# In development mode asyncio warns of each step that takes 0.1 s, which on a busy machine any does. The warning would come
# between the lines of a command under test.
logging.getLogger("asyncio").addFilter(lambda told: not told.getMessage().startswith("Executing "))

ENDED_WITHIN = 30.0  # seconds, of a program whose test has failed
_left = subprocess.Popen.__exit__


def _killed_on_failure(
    self: "subprocess.Popen[AnyStr]",
    kind: type[BaseException] | None,
    value: BaseException | None,
    traceback: TracebackType | None,
) -> None:
    """A test that fails or takes too long does not wait for ever for the end of a program that waits for the test."""
    if kind is not None and self.poll() is None:
        self.terminate()  # a demonstration then stops what it has started
        with suppress(subprocess.TimeoutExpired):
            self.wait(ENDED_WITHIN)
        self.kill()
    _left(self, kind, value, traceback)


subprocess.Popen.__exit__ = _killed_on_failure  # type: ignore[method-assign]

# Files that take long, longest first. They begin first: else one worker would still be at them when the others have ended.
LONG = (
    "test_faults",
    "test_stateful",
    "test_run",
    "test_rotation",
    "test_campaign",
    "test_lot_counted",
    "test_coprocessor",
    "test_secure_storage",
    "test_images",
    "test_log",
    "test_shared_trouble",
    "test_recovery",
    "test_thousand",
    "test_demo_ended",
    "test_fuzz",
    "test_bad_day",
    "test_label_line",
    "test_mes_down",
    "test_questions_to_the_log",
    "test_standing",
    "test_wheel",
    "test_installation",
    "test_lost_answers",
    "test_pki_behaviours",
    "test_pki_in_flight",
    "test_unique_subjects",
    "test_white_label",
    "test_sheet_in_chromium",
    "test_abroad_in_chromium",
    "test_in_chromium",
)


MARK = r"pytest\.mark\.(\w+)"
MARKS = frozenset({"slow", "line", "commissioning"})


@cache
def marks_in(file: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The marks that every test of a file has, and those that one of them may have."""
    text = file.read_text()
    of_all = "".join(re.findall(r"^pytestmark = .*", text, re.MULTILINE))
    return MARKS & set(re.findall(MARK, of_all)), MARKS & set(re.findall(MARK, text))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignores a file of which `-m` selects no test: each worker would import it."""
    if not collection_path.match("test_*.py") or not (wanted := config.option.markexpr):
        return None
    every, any_of = marks_in(collection_path)
    further = any_of - every
    possible = chain.from_iterable(combinations(further, size) for size in range(len(further) + 1))
    selected = Expression.compile(wanted)
    if any(selected.evaluate(lambda name, /, **_: name in every or name in marks) for marks in possible):  # noqa: B023  # called at once
        return None
    return True


def module_marks(item: pytest.Item) -> list[pytest.Mark]:
    module = item.getparent(pytest.Module)
    return [] if module is None else module.own_markers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        every, any_of = marks_in(item.path)
        if not every <= {mark.name for mark in item.iter_markers()} & MARKS <= any_of:
            raise pytest.UsageError(f"{item.nodeid} has other marks than its file says; `-m` may overlook it")
        if item.get_closest_marker("executed") and not any(mark.name == "executed" for mark in module_marks(item)):
            raise pytest.UsageError(
                f"{item.nodeid}: the mark `executed` is for whole files, whose fixtures start their lines"
            )
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def _no_trace_of_the_tests_on_this_machine() -> Iterator[None]:
    """The machine's register of ledgers outlives them; the tests' entries are removed with the tests."""
    with TemporaryDirectory(prefix="tests-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", folder)
        yield


@pytest.fixture(scope="session")
def _warm_programs() -> Iterator[WarmPrograms]:
    with WarmPrograms.ready() as programs:
        yield programs


@pytest.fixture(scope="module", autouse=True)
def _programs(request: pytest.FixtureRequest, _warm_programs: WarmPrograms) -> Iterator[None]:
    """The programs of a file's lines start warm, unless the file is marked `executed`."""
    executed = request.node.get_closest_marker("executed") is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm, "programs", None if executed else _warm_programs)
        yield


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    """PKCS#11 tokens in software, the same for all tests of a process."""
    with Tokens.standing(tmp_path_factory.mktemp("softhsm")) as made:
        yield made


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is an error, since the tests' set-up installs everything that they need."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
