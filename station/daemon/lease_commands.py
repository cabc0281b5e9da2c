# SPDX-License-Identifier: Apache-2.0
"""The command of the control socket about the blocks that this station holds of a shared ledger."""

import asyncio
from collections.abc import Mapping

import structlog

from station.adapters.ledger import shared_reader
from station.daemon import control
from station.daemon.parts import Parts

log = structlog.get_logger()


class LeaseCommands:
    """Gives blocks back while the daemon writes the ledger."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {"leases_return": self._return}

    async def _return(self, question: Mapping[str, object]) -> control.Answer:
        """Gives the lot's whole unused blocks back, for other stations. Refused for the lot that the line makes."""
        shared, lot = self._parts.ledger.shared, str(question.get("lot", ""))
        if shared is None:
            raise control.CommandRefused(
                "this station's ledger is its own: it has no [shared] section, and needs no leases"
            )
        if lot == await asyncio.to_thread(self._making):
            raise control.CommandRefused(
                f"the line makes units of lot {lot}, and would ask for other blocks at once: close the lot's work order, or"
                " stop the daemon and name its ledger"
            )
        blocks = await shared.give_back(lot)
        log.info("shared.returned", lot=lot, blocks=len(blocks), who=str(question["who"]))
        return {"lot": lot, "blocks": blocks}

    def _making(self) -> str | None:
        recipe = self._parts.recipe
        if recipe.new_secrets is None:
            return None
        with shared_reader.reading(self._parts.config.ledger, recipe) as reader:
            return reader.lot()
