# SPDX-License-Identifier: Apache-2.0
"""Cuts the power after, or in the middle of, every single operation on flash and secure storage, then restarts."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from station.link.messages import Question
from tests.firmware.host_board import PRODUCT, Authority, HostBoard, PowerGone, check_proof, key_in, point, records

pytestmark = pytest.mark.line

MAKE_CSR, STORE, PROVE = Question.MAKE_CSR, Question.STORE, Question.PROVE
NONCE = bytes(range(32))


class Station:
    """A station's memory of a board between two times that it is plugged in."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self.pai = authority.pai
        self._certificates = b""
        self.dac = b""
        self.csr = b""

    def provision(self, board: HostBoard) -> None:
        """Always gives the same identity, and for a key that has a DAC the same DAC. Raises PowerGone."""
        csr = board.ask(MAKE_CSR)
        if self.csr:
            assert point(key_in(csr)) == point(key_in(self.csr)), "the board has lost its key"
        else:
            self.csr = csr
            self.dac, self._certificates = self._authority.answer(csr)
        assert board.ask(STORE, self._certificates) == b"\0"
        check_proof(key_in(csr), NONCE, board.ask(PROVE, NONCE))


@pytest.mark.parametrize("torn", [False, True], ids=["after", "amid"])
@pytest.mark.parametrize("storage", ["flash", "secure"])
def test_a_power_cut_can_always_be_repaired(
    programs: dict[str, Path], tmp_path: Path, authority: Authority, storage: str, *, torn: bool
) -> None:
    """After any cut the board gets its intended DAC; lost factory data is written again first."""
    cuts = 0
    for cut in count(1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        board = HostBoard(programs[storage], folder)
        board.put_factory_data()
        station = Station(authority)
        torn_options = ["--torn"] if torn else []
        try:
            with board.power("--cut", str(cut), *torn_options):
                station.provision(board)
        except PowerGone:
            cuts += 1
        else:
            break
        if not _is_provisioned(board, station):
            board.put_factory_data()
        with board.power():
            station.provision(board)
        stored = records(board.block)
        assert stored is not None
        assert (stored[3], stored[4], stored[6]) == (station.dac, authority.pai, point(key_in(station.csr)))
        assert (5 in stored) == (storage == "flash")
    assert cuts > 20


@pytest.mark.parametrize("torn", [False, True], ids=["after", "amid"])
def test_a_cut_rewrite_leaves_no_list_that_could_be_taken_for_one(
    new_board: Callable[[str], HostBoard], authority: Authority, *, torn: bool
) -> None:
    """The list is the old one, the new one, or none; never one that ends early or has a damaged certificate."""
    torn_options = ["--torn"] if torn else []
    board = new_board("secure")
    with board:
        csr = board.ask(MAKE_CSR)
    dac, certificates = authority.answer(csr)
    new = PRODUCT | {3: dac, 4: authority.pai, 6: point(key_in(csr))}
    seen = []
    for cut in count(1):
        board.put_factory_data()
        try:
            with board.power("--cut", str(cut), *torn_options):
                board.ask(STORE, certificates)
        except PowerGone:
            seen.append(records(board.block))
        else:
            break
    assert None in seen
    assert all(found in (None, PRODUCT, new) for found in seen)


def _is_provisioned(board: HostBoard, station: Station) -> bool:
    """Judges the read-back as the station does: it must equal the intended data."""
    stored = records(board.block) or {}
    return {**stored, **PRODUCT} == stored and stored.get(3) == station.dac and stored.get(4) == station.pai
