# SPDX-License-Identifier: Apache-2.0
"""Every asynchronous test runs on the daemon's event loop; in CI no test is skipped."""

import os
import signal
from collections.abc import Generator, Iterator, Mapping
from tempfile import TemporaryDirectory

import pytest
import uvloop
from pytest_asyncio.plugin import LoopFactory

from tests.builders.tokens import Tokens

# If a script starts the tests in the background, they ignore SIGINT, and so would every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Images of containers set this. Each of the thousand processes that the tests start would compile all its modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Files with a few tests that take long. They begin first: else one worker would still be at them when the others have ended.
LONG = frozenset(
    {
        "test_abroad_in_chromium",
        "test_bad_day",
        "test_campaign",
        "test_in_chromium",
        "test_sheet_in_chromium",
        "test_installation",
        "test_lost_answers",
        "test_lot_counted",
        "test_pki_behaviours",
        "test_pki_in_flight",
        "test_stateful",
        "test_thousand",
        "test_unique_subjects",
        "test_wheel",
        "test_white_label",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONG)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def _no_trace_of_the_tests_on_this_machine() -> Iterator[None]:
    """The machine's register of ledgers outlives them; the tests' entries are removed with the tests."""
    with TemporaryDirectory(prefix="tests-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", folder)
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
