# SPDX-License-Identifier: Apache-2.0
"""Watches the trust store's revocation set while the line runs: a revoked PAI pauses the line without a restart."""

import structlog

from station.recipe import revocation
from station.recipe.files.revocation_file import RevocationFile
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()


class Revocations:
    """The revocations that the recipe's checks go by."""

    def __init__(self, recipe: Recipe | Laboratory) -> None:
        self._recipe = recipe

    def check(self) -> None:
        """Takes up a changed set; raises `PAIRevoked`, or `TrustUnreadable` if it cannot be read. Costs one `stat` otherwise."""
        match self._recipe.revoked:
            case RevocationFile() as file if file.look():
                log.info("trust.revocations_read", file=str(file.path), entries=len(file))
            case _:
                pass
        revocation.check_pai(self._recipe)
