# SPDX-License-Identifier: Apache-2.0
"""The ledger: an append-only journal of events, and uniqueness constraints. All SQL of the station is here."""

from station.adapters.ledger.ledger import Ledger

__all__ = ["Ledger"]
