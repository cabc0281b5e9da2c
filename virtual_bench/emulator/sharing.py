# SPDX-License-Identifier: Apache-2.0
"""Lets all chips with the same program execute on one core of the engine, one after the other.

The engine translates each instruction once a core, which costs more than all that a board executes. So a core serves
every chip whose flash holds the same program, and keeps of each its registers and its RAM while another executes. No
chip ever executes what was translated from other bytes than its own: where flash or RAM differ from those of the chip
before, the core forgets.
"""

from collections.abc import Set as AbstractSet
from typing import Protocol

from virtual_bench.emulator.cpu import CPU, PAGE, Registers, differing_pages
from virtual_bench.hardware.flash import Flash

RAM = 0x20000000, 0x40000
UID_PAGE = 0x1FFF7000, 0x1000
MEMORIES = (RAM, UID_PAGE)
REGISTER_PAGES = {  # address of a page on the bus: its size
    0x40000000: 0x1000,
    0x40013000: 0x1000,
    0x40020000: 0x1000,
    0x48000000: 0x2000,
    0x58000000: 0x5000,
    0xA0001000: 0x1000,
    0xE000E000: 0x1000,
}
CHUNK = 65536
APART = 1  # page in which the flash of two chips may differ, as that of a board's key
KEPT = 8  # programs whose translation is kept, among them those that no board has any more


class Tenant(Registers, Protocol):
    """A chip, as the shared core sees it."""

    internal: Flash
    external: Flash
    window_is_open: bool
    loaded: bytes | None
    """RAM as a probe has loaded it, if the chip started there."""


class SharedCore:
    """One core, the program that it executes, and the chip that it is at the moment."""

    def __init__(self, tenant: Tenant) -> None:
        internal, external = tenant.internal, tenant.external
        self._kind = _kind(tenant)
        self.cpu = CPU()
        self._internal = self.cpu.map_flash(internal.base, internal.size, executable=True)
        self._external = self.cpu.map_flash(external.base, external.size, executable=False)
        self._memories = [self.cpu.map_memory(*where) for where in MEMORIES]
        self._views = [memoryview(memory) for memory in self._memories]
        for address, size in REGISTER_PAGES.items():
            self.cpu.map_registers(address, size)
        self._base = internal.base
        self._program = {
            start: internal.read(start, CHUNK) for start in range(internal.base, internal.base + internal.size, CHUNK)
        }
        self._own: dict[int, bytes] = {}  # pages that chips have changed, as they were when it last translated them
        self._reset = self.cpu.save()
        self._seat: Seat | None = None

    def other_pages(self, flash: Flash) -> set[int]:
        """Addresses of the pages in which a flash has not this core's program, without those that each chip has for itself.

        It stops looking as soon as these are too many.
        """
        found: set[int] = set()
        for start, chunk in self._program.items():
            content = flash.read(start, CHUNK)
            if content == chunk:
                continue
            for at in range(0, CHUNK, PAGE):
                if start + at not in self._own and content[at : at + PAGE] != chunk[at : at + PAGE]:
                    found.add(start + at)
            if len(found) > APART:
                break
        return found

    def is_for(self, tenant: Tenant) -> bool:
        """Whether the chip has the same memories, and the same program in RAM if it started there."""
        return self._kind == _kind(tenant)

    def set_apart(self, pages: AbstractSet[int]) -> None:
        """Lets its chips have these pages for themselves from now on."""
        for page in pages:
            start = page - (page - self._base) % CHUNK
            self._own[page] = self._program[start][page - start : page - start + PAGE]

    def become(self, seat: "Seat") -> None:
        """Becomes another chip."""
        if self._seat is seat:
            return
        if self._seat is not None:
            self.vacate(self._seat)
        tenant = seat.tenant
        self._internal.look_at(tenant.internal.descriptor)
        self._external.look_at(tenant.external.descriptor)
        self.compare_own(tenant.internal)
        for page in self.cpu.written:
            self.cpu.forget(page, PAGE)
        self.cpu.written.clear()
        for (address, size), memory, content in zip(MEMORIES, self._memories, seat.memories, strict=True):
            for at in differing_pages(memory, content, size):
                memory[at : at + PAGE] = content[at : at + PAGE]
                self.cpu.forget(address + at, PAGE)
        self.cpu.restore(seat.registers or self._reset)
        if seat.brought is not None:
            self.cpu.set_registers_of_program(seat.brought)
            seat.brought = None
        self.cpu.show(tenant.external.base, tenant.external.size, visible=tenant.window_is_open)
        self.cpu.surround(tenant)
        self._seat = seat

    def vacate(self, seat: "Seat") -> None:
        """Gives a chip its state, which goes to another core."""
        if self._seat is seat:
            seat.registers = self.cpu.save()
            for kept, view in zip(seat.memories, self._views, strict=True):
                memoryview(kept)[:] = view
            self._seat = None

    def compare_own(self, flash: Flash) -> None:
        """Forgets the pages that chips have for themselves, where this one's differ from those translated last."""
        for page, before in self._own.items():
            content = flash.read(page, PAGE)
            if content != before:
                self._own[page] = content
                self.cpu.forget(page, PAGE)

    def own(self, pages: AbstractSet[int], flash: Flash) -> None:
        """Notes the pages that the chip has just changed."""
        for page in pages:
            self._own[page] = flash.read(page, PAGE)
            self.cpu.forget(page, PAGE)


class Seat:
    """One chip's place on a core, and its state while the core is another chip. It starts as after a reset."""

    def __init__(self, tenant: Tenant, ram: bytes, uid_page: bytes) -> None:
        self.tenant = tenant
        self.registers: object | None = None
        self.brought: list[int] | None = None  # registers, from another core
        self.memories = [bytearray(ram), bytearray(uid_page)]  # while the core is another chip
        self._core: SharedCore | None = None
        self._changes = -1  # of the internal flash, when its program was last compared

    def take(self) -> CPU:
        """Makes the core this chip."""
        core, flash = self._core, self.tenant.internal
        if core is None or flash.changes != self._changes:
            if core is None or core.other_pages(flash):
                self._move(_core_for(self.tenant))
            else:
                core.compare_own(flash)
            self._changes = flash.changes
        assert self._core is not None
        self._core.become(self)
        return self._core.cpu

    def own(self, pages: AbstractSet[int]) -> None:
        """Notes the pages of its flash that the chip has just changed by itself."""
        assert self._core is not None
        self._core.own(pages, self.tenant.internal)
        self._changes = self.tenant.internal.changes

    def sit_alone(self) -> None:
        """Moves to a core that no other chip comes to."""
        self._move(SharedCore(self.tenant))

    def _move(self, core: SharedCore) -> None:
        if self._core is not None:
            self._core.become(self)
            self.brought = self._core.cpu.registers_of_program()
            self._core.vacate(self)
            self.registers = None
        self._core = core


def _kind(tenant: Tenant) -> tuple[object, ...]:
    return *((flash.base, flash.size) for flash in (tenant.internal, tenant.external)), tenant.loaded


_cores: list[SharedCore] = []  # the last used one first


def _core_for(tenant: Tenant) -> SharedCore:
    for core in filter(lambda core: core.is_for(tenant), _cores):
        pages = core.other_pages(tenant.internal)
        if len(pages) <= APART:
            core.set_apart(pages)
            _cores.remove(core)
            break
    else:
        core = SharedCore(tenant)
    _cores.insert(0, core)
    del _cores[KEPT:]
    return core
