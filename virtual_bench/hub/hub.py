# SPDX-License-Identifier: Apache-2.0
"""The USB hub: its boards, which of them are plugged in, and their links in DIR/dev and devices in DIR/sys.

The links are laid out as udev does it: /dev/serial and its folders come with the first link and go with the last.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

from virtual_bench.bench.bench import Bench
from virtual_bench.board import factory_data
from virtual_bench.board.board import NAMEPLATE, Board, Nameplate
from virtual_bench.faults.armed import Fault
from virtual_bench.hardware.radio_core import RadioCore
from virtual_bench.hub.sysfs import INTERFACE, Shown, Sysfs
from virtual_bench.hub.translator import HUB_PORTS, HubKind, Translator

OTHER_PRODUCT = "STLINK-V3"


class HubError(Exception):
    """The hub cannot carry out the request; the text says why."""


class Hub:
    """Ports 1 to N, each with at most one board, plugged in or pulled out."""

    def __init__(self, bench: Bench, ports: int, kind: HubKind = HubKind.MULTI_TT) -> None:
        self.ports = range(1, ports + 1)
        self._bench = bench
        self._dev = bench.directory / "dev"
        self._boards: dict[int, Board] = {}
        self._links: dict[Board, dict[str, str]] = {}  # of each announced board: paths and targets, as below
        self._linked: dict[str, str] = {}  # what is in DIR/dev
        self._sysfs = Sysfs(bench.directory / "sys")
        self._shown: dict[Board, Shown] = {}
        self._pluggings = count()
        self._next_number = 1
        shared = kind is HubKind.SINGLE_TT and not bench.profile.high_speed and not bench.clock.stands_still
        self._translators = [Translator() for _ in self.ports[::HUB_PORTS]] if shared else []
        found = [Board.loaded(bench, file.parent, self._act) for file in bench.directory.glob(f"boards/*/{NAMEPLATE}")]
        for board in sorted(found, key=lambda board: board.nameplate.number):
            self._stand(board)

    @property
    def serial_dir(self) -> Path:
        return self._dev / "serial"

    def path(self, port: int) -> str:
        """The physical path of a port, as udev names it."""
        return f"pci-0000:00:14.0-usb-0:1.{port}"

    def board(self, port: int) -> Board | None:
        """The board at a port, plugged in or not."""
        return self._boards.get(port)

    def translator(self, board: Board) -> Translator | None:
        """The translator that the port's probe shares with its neighbours."""
        return self._translators[(board.nameplate.port - 1) // HUB_PORTS] if self._translators else None

    def plugged(self) -> Iterator[tuple[int, Board]]:
        """Port and board, in the order of their serial ports."""
        found = [(port, board) for port, board in self._boards.items() if board.plugged]
        yield from sorted(found, key=lambda entry: (len(entry[1].tty), entry[1].tty))

    def on_probe(self, serial_number: str | None, index: int = 0) -> Board | None:
        """The plugged board whose probe has this serial number or this index in the listing."""
        boards = [board for _, board in self.plugged()]
        if serial_number is None:
            return boards[index] if index < len(boards) else None
        return next((board for board in boards if board.probe == serial_number.upper()), None)

    def plug(self, port: int, *, new: bool = False, radio: RadioCore | None = None) -> Board:
        """Plugs in the board at a port, or a fresh one, optionally with given versions on its coprocessor.

        Raises HubError.
        """
        if port not in self.ports:
            raise HubError(f"there is no port {port}: this hub has {self.ports[0]} to {self.ports[-1]}")
        board = self._boards.get(port)
        if board is not None and board.plugged:
            raise HubError(f"a board is plugged in at port {port} already: unplug it first")
        if board is None or new:
            nameplate = Nameplate.fresh(self._bench.seed, self._next_number, port)
            shipped = RadioCore(self._bench.fus, self._bench.stack)
            board = Board.fresh(self._bench, nameplate, radio or shipped, self._act)
            self._stand(board)
        elif radio is not None:
            raise HubError(f"a board stands at port {port}, with what is on its coprocessor: say --new for another")
        taken = {other.tty for _, other in self.plugged()}
        board.plug(next(name for number in count() if (name := f"ttyACM{number}") not in taken))
        self._shown[board] = Shown(port, board.tty, board.probe, next(self._pluggings))
        self._sysfs.add(self._shown[board])
        if board.serial_port is not None:
            self._links[board] = self._links_of(port, board, board.serial_port.path)
        self._link()
        self._hold(board)
        self._bench.journal.write("plugged", **self._described(port, board))
        return board

    def unplug(self, port: int) -> Board:
        """Pulls out the board at a port. Raises HubError."""
        board = self._plugged(port)
        self._bench.journal.write("unplugged", **self._described(port, board))
        self._hang_up(board)
        board.unplug()
        return board

    def brown_out(self, port: int) -> Board:
        """Makes the supply of the board at a port dip. Raises HubError."""
        board = self._plugged(port)
        self._bench.journal.write("brown_out", **self._described(port, board))
        board.brown_out()
        return board

    def _plugged(self, port: int) -> Board:
        board = self._boards.get(port)
        if board is None or not board.plugged:
            raise HubError(f"no board is plugged in at port {port}")
        return board

    def move(self, port: int, to: int) -> Board:
        """Stands the board of a port at another, with its probe; a board there changes places with it. Raises HubError."""
        board, other = self._boards.get(port), self._boards.get(to)
        if board is None:
            raise HubError(f"no board stands at port {port}")
        if to not in self.ports:
            raise HubError(f"there is no port {to}: this hub has {self.ports[0]} to {self.ports[-1]}")
        if board.plugged or (other is not None and other.plugged):
            raise HubError(f"the boards at the ports {port} and {to} must be pulled out first")
        del self._boards[port]
        for moved, place in ((board, to), (other, port)):
            if moved is not None:
                moved.stand_at(place)
                self._boards[place] = moved
        self._bench.journal.write("moved", board=board.nameplate.number, port=to)
        return board

    def close(self) -> None:
        """Pulls out everything; the boards' files stay."""
        for port, _ in [*self.plugged()]:
            self.unplug(port)
        for board in self._boards.values():
            board.close()
        self._boards.clear()  # so that none of them bounces back

    def _stand(self, board: Board) -> None:
        if (before := self._boards.get(board.nameplate.port)) is not None:
            before.close()
        self._boards[board.nameplate.port] = board
        self._next_number = max(self._next_number, board.nameplate.number + 1)

    def _link(self) -> None:
        """Updates the links in DIR/dev to those of the plugged boards."""
        wanted: dict[str, str] = {}
        for _, board in self.plugged():
            wanted |= self._links.get(board, {})
        for gone in reversed([Path(link) for link in self._linked if link not in wanted]):
            gone.unlink()
            if gone.parent != self._dev and not any(gone.parent.iterdir()):
                gone.parent.rmdir()
        if self._linked and not wanted:
            self.serial_dir.rmdir()
        for new, target in wanted.items():
            if self._linked.get(new) != target:
                link = Path(new)
                link.parent.mkdir(parents=True, exist_ok=True)
                unnamed = self._dev / f".{link.name}"  # in a folder that nobody watches for boards
                unnamed.symlink_to(target)
                unnamed.rename(link)
        self._linked = wanted

    def _links_of(self, port: int, board: Board, device: str) -> dict[str, str]:
        """The links of a board and their targets, in the order of creation; by-id comes before by-path."""
        profile = self._bench.profile
        duplicate = board.faults.lasting("duplicate_serial")
        product = OTHER_PRODUCT if duplicate and duplicate.text("product") == "other" else profile.probe_product
        words = ["usb-STMicroelectronics", *product.split(), *filter(None, [board.probe])]
        links = {
            f"{self._dev}/{board.tty}": device,
            f"{self.serial_dir}/by-id/{'_'.join(words)}-if02": f"../../{board.tty}",
            f"{self.serial_dir}/by-path/{self.path(port)}:{INTERFACE}": f"../../{board.tty}",
        }
        if board.faults.lasting("two_paths"):
            with_revision = self.path(port).replace("-usb-", "-usbv2-")
            links[f"{self.serial_dir}/by-path/{with_revision}:{INTERFACE}"] = f"../../{board.tty}"
        return links

    def _hold(self, board: Board) -> None:
        """Lets another program of the host hold the new serial port for a while."""
        if (fault := board.faults.lasting("port_held")) and (port := board.serial_port) is not None:
            port.hold()
            asyncio.get_running_loop().call_later(fault.number("seconds"), port.let_go)

    def _described(self, port: int, board: Board) -> dict[str, object]:
        return {"board": board.nameplate.number, "probe": board.probe, "port": port, "tty": board.tty}

    def _act(self, fault: Fault) -> None:
        """Carries out a fault of the whole board, now or some time after its phase began."""
        here = [(port, board) for port, board in self.plugged() if board.nameplate.number == fault.board]
        if not here:
            return  # somebody pulled the board before the fault's turn came
        ((port, board),) = here
        plugging = board.plugging

        def act() -> None:
            if board.plugged and board.plugging == plugging:  # otherwise the board is gone
                self._deeds(port, board, fault)[fault.kind.name]()

        after = self._bench.clock.scaled(fault.number("after")) if "after" in fault.kind.parameters else 0
        if after > 0:
            asyncio.get_running_loop().call_later(after, act)
        else:
            act()

    def _deeds(self, port: int, board: Board, fault: Fault) -> Mapping[str, Callable[[], object]]:
        return {
            "unplug": lambda: self.unplug(port),
            "bounce": lambda: self._bounce(port, fault.number("milliseconds") / 1000),
            "power_cut": lambda: self.unplug(port),
            "tty_gone": lambda: self._hang_up(board),
            "brown_out": board.brown_out,
            "write_protected": board.protect,
            "secure_storage_written": board.secure_storage.occupy,
            "factory_data_erased": lambda: board.external.erase(factory_data.ADDRESS, factory_data.BLOCK),
        }

    def _bounce(self, port: int, seconds: float) -> None:
        """Pulls the board and plugs it in again before the bench does anything else."""
        board = self.unplug(port)

        def back() -> None:
            if self._boards.get(port) is board and not board.plugged:
                self.plug(port)

        loop = asyncio.get_running_loop()
        if seconds:
            loop.call_later(seconds, back)
        else:
            loop.call_soon(back)

    def _hang_up(self, board: Board) -> None:
        """Removes links and sysfs entry first, then the serial port, as the kernel and udev do."""
        board.announced = False
        if (shown := self._shown.pop(board, None)) is not None:
            self._sysfs.remove(shown)
        self._links.pop(board, None)
        self._link()
        board.lose_tty()
