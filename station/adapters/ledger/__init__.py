# SPDX-License-Identifier: Apache-2.0
"""The ledger: an append-only journal of events, and uniqueness constraints. All SQL of the station is here."""

from station.adapters.ledger.ledger import Ledger
from station.adapters.ledger.origin import ReleaseRefused
from station.adapters.ledger.orphans import Decision, DecisionRefused

__all__ = ["Decision", "DecisionRefused", "Ledger", "ReleaseRefused"]
