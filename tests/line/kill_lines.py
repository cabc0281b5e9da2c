# SPDX-License-Identifier: Apache-2.0
"""Stands up the lines at which processes are killed, and has a referee judge what is left in the end."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from station.adapters.system.secret_files import SHARED_MEMORY
from station.domain.product import Plan
from tests.builders.line import RECIPE, RECIPE_IN_RAM, Line
from tests.builders.printer import LABEL
from tests.builders.station_demo import SHORT_DEADLINES
from tests.campaign.canaries import ProcessSampler
from tests.campaign.evidence import Evidence
from tests.campaign.recorded import STATION, laid_out
from tests.campaign.referee.boards import pack
from tests.campaign.referee.judge import violations
from tests.campaign.referee.remains import observed
from tests.line import struck
from tests.line.kill_line import CellFailed, KillLine
from tests.line.kill_states import Victim
from tests.line.kill_victims import Power, Process, Programmer, Started
from tests.line.test_coprocessor import recipe_with_stack
from tests.mes import receiver_process
from tests.mes.receiver import SECRET, Receiver

STACK = "1.24.0.3"
LOCK = "[lock]\noption_bytes = { BOR_LEV = 4 }"
MES = '[mes]\nwebhook = "http://127.0.0.1:{port}"\nsecret_file = "{secret}"\n'
SETTINGS = {**SHORT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.2", "STATION__BOARD__BOOT_WITHIN": "20"}


@contextmanager
def standing(folder: Path, plan: Plan) -> Iterator[KillLine]:
    """A line with all that a recipe can ask for: coprocessor, lock, labels that are required, and an MES.

    In the end raises `CellFailed` if the referee finds a broken promise.
    """
    work = folder / "work"
    work.mkdir(parents=True)
    with (
        tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as runtime,
        patch.dict(
            os.environ,
            {
                **SETTINGS,
                struck.FOLDER: str(work),
                "XDG_STATE_HOME": f"{work}/machine",
                "XDG_RUNTIME_DIR": runtime,
            },
        ),
    ):
        with _running(work, Path(runtime), plan) as line:
            yield line
        _referee(line, work, folder / "left", Path(runtime))


@contextmanager
def _running(work: Path, runtime: Path, plan: Plan) -> Iterator[KillLine]:
    beside = Line(work, work)
    (work / "logs").mkdir()
    (work / "printer").mkdir()
    secret = work / "webhook.secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    try:
        _start_printer(beside, 0)
        _start_receiver(beside, 0)
        printer, receiver = int(_text(work / "printer" / "port")), int(_text(work / receiver_process.PORT_FILE))
        recipe = recipe_with(work, LABEL.format(port=printer), plan)
        mes = MES.format(port=receiver, secret=secret)
        with Line.standing(work / "line", 1, recipe=recipe, further=mes, program="tests.line.held") as line:
            port = _pki_port(line)
            victims: dict[Victim, Process] = {
                Victim.DAEMON: Started(line, "daemon", line.start_daemon),
                Victim.PKI: Started(line, "pki", lambda: line.start_pki(port)),
                Victim.PROGRAMMER: Programmer(line),
                Victim.POWER: Power(line),
                Victim.PRINTER: Started(beside, "printer", lambda: _start_printer(beside, printer)),
                Victim.RECEIVER: Started(beside, "receiver", lambda: _start_receiver(beside, receiver)),
            }
            sampler = ProcessSampler(work / "processes.jsonl")
            yield KillLine(line, work / "printer", work, runtime, victims, sampler)
    finally:
        for process in beside.processes.values():
            process.send_signal(signal.SIGTERM)
            process.wait()


def recipe_with(folder: Path, label: str, plan: Plan) -> Path:
    path = recipe_with_stack(folder, STACK, STACK, recipe=RECIPE_IN_RAM if plan is Plan.RAM else RECIPE)
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{LOCK}\n{label}\n", encoding="utf-8")
    return path


def _start_printer(beside: Line, port: int) -> None:
    tray = beside.folder / "printer"
    (tray / "port").unlink(missing_ok=True)
    beside.start("printer", "virtual_bench", "printer", "--dir", str(tray), f"--port={port}")
    beside.wait_for("printer", (tray / "port").exists)


def _start_receiver(beside: Line, port: int) -> None:
    ready = beside.folder / receiver_process.PORT_FILE
    ready.unlink(missing_ok=True)
    beside.start("receiver", "tests.mes.receiver_process", str(beside.folder), str(port))
    beside.wait_for("receiver", ready.exists)


def _text(file: Path) -> str:
    return file.read_text(encoding="ascii")


def _pki_port(line: Line) -> int:
    port = urlsplit(str(json.loads((line.folder / "pki" / "ready.json").read_text(encoding="utf-8"))["url"])).port
    assert port is not None
    return port


def _referee(line: KillLine, work: Path, left: Path, runtime: Path) -> None:
    """Judges boards, ledger, PKI, labels and messages without any word of the station's, and looks for what still runs."""
    remains = observed(work, runtime)
    for board in (work / "line" / "boards").iterdir():
        if (board / "internal.bin").exists():
            pack(board)
    account = {"boards": line.boards, "troubles": [], "kills": line.kills, "samples": [], "labels": True}
    laid_out(work, left, [STATION], Receiver(taken=receiver_process.taken(work)), account)
    remains.save(left)
    if found := violations(Evidence.read(left)):
        raise CellFailed("\n".join(f"the referee: {each.promise}: {each.what}" for each in found))
