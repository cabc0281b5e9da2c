# SPDX-License-Identifier: Apache-2.0
"""What people do at the page and through the API, done by the daemon's own commands."""

import base64
from collections.abc import Mapping

from pydantic import BaseModel

from station.daemon.control import Command, CommandRefused
from station.daemon.label_scan import LabelSwapped
from station.web.acts import ActRefused, LabelWrong, LotChange
from station.web.questions import NewLot, NewSample


class PageActs:
    """`web.acts.Acts` by the commands of the control socket."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands

    async def hold(self, slot: str, *, who: str, reason: str) -> Mapping[str, object]:
        return await self._done("hold", slot=slot, who=who, reason=reason)

    async def release(self, slot: str | None, *, who: str, reason: str) -> Mapping[str, object]:
        named = {} if slot is None else {"slot": slot}
        return await self._done("release", **named, who=who, reason=reason)

    async def label(self, uid: str, form: str, *, who: str) -> bytes:
        answer = await self._done("label", uid=uid, form=form, who=who)
        return base64.b64decode(str(answer["content"]))

    async def print_label(self, uid: str, reason: str, *, who: str, engineer: bool) -> Mapping[str, object]:
        return await self._done("label_print", uid=uid, reason=reason, who=who, engineer=engineer)

    async def scan(self, text: str, slot: str | None, *, who: str) -> Mapping[str, object]:
        return await self._done("label_scan", text=text, slot=slot or "", who=who)

    async def release_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        return await self._done("unit_release", uid=uid, who=who, reason=reason)

    async def scrap_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        return await self._done("unit_scrap", uid=uid, who=who, reason=reason)

    async def add_sample(self, sample: NewSample, *, who: str) -> Mapping[str, object]:
        verdict = "pass" if sample.fault is None else "fail"
        return await self._done("sample_add", who=who, verdict=verdict, **sample.model_dump())

    async def open_lot(self, lot: NewLot, *, who: str) -> Mapping[str, object]:
        return await self._done("lot_open", who=who, **lot.model_dump())

    async def change_lot(self, lot: str, change: LotChange, *, who: str, reason: str) -> Mapping[str, object]:
        return await self._done(f"lot_{change}", name=lot, who=who, reason=reason)

    async def _done(self, command: str, /, **question: object) -> Mapping[str, object]:
        try:
            answer = await self._commands[command](question)
        except LabelSwapped as exc:
            raise LabelWrong(str(exc), exc.slot, exc.board, exc.other) from exc
        except CommandRefused as exc:
            raise ActRefused(str(exc)) from exc
        return answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer
