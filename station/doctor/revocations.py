# SPDX-License-Identifier: Apache-2.0
"""The age of the revocation set in the recipe's trust store."""

from datetime import UTC, datetime, timedelta

from station.doctor.finding import Finding, advice, good
from station.domain.product import Trust
from station.recipe.files.revocation_file import RevocationFile
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

CHECK = "revocations"
OLD = timedelta(days=30)
REMEDY = "Run `station trust update`, which makes a new set from the DCL."


def revocations(recipe: Recipe | Laboratory, now: datetime | None = None) -> Finding:
    """Advice for a set that is old, and for a production line without one."""
    match recipe.revoked:
        case RevocationFile(written=datetime() as written) as file:
            age = (now or datetime.now(UTC)) - written
            text = f"The revocation set {file.path} has {len(file)} certificates and is {age.days} days old."
            return advice(CHECK, text, REMEDY) if age > OLD else good(CHECK, text)
        case _:
            text = "The recipe's trust store has no revocation set"
    if isinstance(recipe, Recipe) and recipe.trust is Trust.PRODUCTION:
        return advice(CHECK, f"{text}, so nothing would tell that the PAI is revoked.", REMEDY)
    return good(CHECK, f"{text}, which a line for development can do without.")
