# SPDX-License-Identifier: Apache-2.0
"""The words for a lot's counts, by their names in the balance. Pure."""

from collections.abc import Mapping

BALANCE: Mapping[str, str] = {
    "planned": "planned",
    "passed": "passed",
    "bound": "of those, with a bound label",
    "unbound": "of those, not done without one",
    "in_work": "in work",
    "failed": "of those, failed last",
    "to_do": "to do",
    "identities": "identities given out",
    "burned": "burned",
    "scrapped": "of those, scrapped",
    "released": "released",
    "samples": "samples",
    "quarantined": "quarantined",
    "skipped": "serial numbers skipped",
    "numbers_left": "serial numbers left",
    "labels_printed": "labels printed",
    "labels_void": "of those, void since another was printed",
    "labels_waiting": "of those, not bound yet",
    "labels_of_burned": "of those, of burned units",
    "labels_of_samples": "of those, of samples",
    "labels_copies": "labels that are further copies",
    "dacs_bought": "DACs bought",
    "dacs_bound": "DACs bound to units",
    "dacs_waiting": "DACs whose units are not certified",
    "dacs_to_revoke": "DACs of burned units",
    "dacs_of_samples": "DACs of samples",
    "dacs_replaced": "DACs that were replaced",
    "dacs_orphaned": "DACs that no unit has",
    "answers_missing": "answers of the PKI that are missing",
}
"""In the order in which people read them."""

FURTHER: Mapping[str, str] = {
    "size": "serial numbers of the lot",
    "next_index": "serial numbers used",
    "reserved": "in work: identity reserved",
    "on_board": "in work: factory data on the board",
    "certified": "in work: certified",
    "confirmed": "in work: confirmed",
    "passed_in_journal": "passed, by the journal",
    "counted": "passed or in work, by the lot's own count",
}
"""Counts that only the report has."""
