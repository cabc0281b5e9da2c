# SPDX-License-Identifier: Apache-2.0
"""Judges the content of a bundle: journal, certificates and counts, each by itself and all against one another.

Memory grows by 3.5 kB a unit.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from station.evidence import certificates, recorded, rows
from station.evidence.anchor import Anchor
from station.evidence.certificates import Certificates
from station.evidence.comparing import LABEL, Told
from station.evidence.counting import Counts, Unit
from station.evidence.findings import Result, Trusted
from station.evidence.form import (
    ATTEMPTS,
    AUDIT,
    BUNDLE,
    CERTIFICATES,
    EXCEPTIONS,
    FORMAT,
    JOURNAL,
    LABELS,
    REQUESTS,
    SBOM,
    UNITS,
    NotABundle,
)
from station.evidence.journal import Journal, Links, Sum, line_of, summed
from station.evidence.reading import Bundle
from station.evidence.rows import Row
from station.evidence.used import Used
from station.matter.certificates.names import Identifiers
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.x509 import Certificate


@contextmanager
def _told(add: Callable[[str, str], None], place: str) -> Iterator[None]:
    """Tells of a certificate in this member that breaks a rule."""
    try:
        yield
    except RuleBroken as broken:
        add(place, f"{broken.rule.name} {broken.reason}")
    except NotABundle as exc:
        add(place, str(exc))


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Gives the member's name to what cannot be read; nothing can be judged without it."""
    try:
        yield
    except NotABundle as exc:
        raise NotABundle(f"{place}: {str(exc).removeprefix(f'{place}: ')}") from exc


class Judgement:
    """Judges the content of a bundle whose members are those of its manifest."""

    def __init__(self, bundle: Bundle, trusted: Trusted, result: Result) -> None:
        self._bundle = bundle
        self._trusted = trusted
        self._result = result
        self._head: Row = {}
        self._counts = Counts()
        self._journal, self._links = Journal(), Links()
        self._attempts = dict[int, Sum]()
        self._told = Told()
        self._used = Used()

    def pronounce(self) -> None:
        """Every check, each member in its order."""
        if not self._guarded(BUNDLE, self._about):
            return
        with _at(AUDIT):
            anchor = Anchor.read(self._bundle.json(AUDIT))
        self._links.awaited = anchor.awaited
        with _at(BUNDLE):
            found = self._certificates()
        self._lines(UNITS, self._unit)
        self._lines(CERTIFICATES, self._certificate(found))
        self._lines(REQUESTS, self._request)
        self._lines(ATTEMPTS, self._attempt)
        self._lines(JOURNAL, self._line)
        self._lines(LABELS, _silent(self._label))
        self._lines(EXCEPTIONS, self._exception)
        self._guarded(SBOM, self._components)
        with _at(BUNDLE):
            self._compare(found)
        for sentence in anchor.mistakes(self._links, self._bundle.signature.public_key, self._trusted):
            self._add(AUDIT, sentence)
        self._sum(found, anchor)

    def _about(self) -> None:
        self._head = self._bundle.json(BUNDLE)
        if self._head.get("format") != FORMAT or self._head.get("lot") != self._bundle.manifest.lot:
            self._add(BUNDLE, "format or lot are not those of the manifest")
        self._result.open = rows.flag(self._head, "open")
        for recipe in rows.objects(self._head, "recipes"):
            name = f"recipes/{rows.text(recipe, 'sha256')}.toml"
            if name not in self._bundle.names:
                self._result.notes.append(f"recipe {recipe.get('name')} is in the bundle by its SHA-256 alone")
        for name in self._bundle.named("recipes"):
            if self._sha256(name) != Path(name).stem:
                self._add(name, "its SHA-256 is not the one in its name")

    def _certificates(self) -> Certificates:
        issuers = dict[str, Certificate]()
        roots = dict(self._trusted.roots)
        for name in self._bundle.named("pai"):
            with _told(self._add, name):
                content = certificates.der(self._bundle.content(name).decode("latin-1"))
                issuers[Path(name).stem] = certificates.intermediate(content)
                if certificates.sha256(content) != Path(name).stem:
                    self._add(name, "its SHA-256 is not the one in its name")
        if not roots:
            for name in self._bundle.named("paa"):
                with _told(self._add, name):
                    content = certificates.der(self._bundle.content(name).decode("latin-1"))
                    key, found = certificates.root(content)
                    roots[key] = found
            if roots:
                self._result.notes.append("PAA: the bundle's own; give the one that you trust with --paa")
        made = frozenset[Identifiers]()
        for recipe in rows.objects(self._head, "recipes"):
            if "dac_vendor_id" not in recipe:
                made = frozenset()
                break
            made |= {Identifiers(rows.number(recipe, "dac_vendor_id"), rows.number(recipe, "dac_product_id"))}
        return Certificates(issuers, roots, made)

    def _unit(self, row: Row) -> Iterator[str]:
        yield from self._told.row(UNITS, rows.number(row, "identity"), row)
        yield from self._counts.unit(row)

    def _request(self, row: Row) -> Iterator[str]:
        yield from self._told.row(REQUESTS, rows.number(row, "request"), row)
        self._counts.request(row)

    def _label(self, row: Row) -> None:
        self._told.deed(LABEL, row)
        self._counts.label(row)

    def _exception(self, row: Row) -> Iterator[str]:
        yield from self._told.exception(row)
        self._counts.exception(row)

    def _certificate(self, found: Certificates) -> Callable[[Row], Iterator[str]]:
        def judged(row: Row) -> Iterator[str]:
            self._counts.certificate(row)
            told = {**row, "dac": certificates.sha256(certificates.der(rows.text(row, "dac")))}
            yield from self._told.row(CERTIFICATES, rows.number(row, "request"), told)
            yield from found.read(row)

        return judged

    def _attempt(self, row: Row) -> Iterator[str]:
        number, verdict = rows.number(row, "attempt"), rows.text_or_none(row, "verdict")
        fault, uid, dac = (rows.text_or_none(row, name) for name in ("fault", "uid", "dac_serial_number"))
        self._attempts[number] = summed(verdict, fault, uid, dac, rows.number(row, "events"))
        yield from self._told.row(ATTEMPTS, number, row)
        self._used.take(row)

    def _line(self, row: Row) -> Iterator[str]:
        line = line_of(row)
        mistake = self._links.follow(line)
        if mistake is not None:
            yield mistake
        if line.text is not None:
            yield from self._journal.read(line)

    def _components(self) -> None:
        said = self._bundle.json(SBOM)
        if (said.get("bomFormat"), said.get("specVersion")) not in (("CycloneDX", "1.5"), ("CycloneDX", "1.6")):
            self._add(SBOM, "it is no CycloneDX 1.5 or 1.6")
        for each in rows.objects(said, "components"):
            rows.text(each, "name")
            rows.text(each, "version")

    def _compare(self, found: Certificates) -> None:
        """What no member says by itself."""
        self._compare_attempts()
        for uid, unit in self._counts.units.items():
            for sentence in self._unproven(uid, unit, found):
                self._add(UNITS, sentence)
        self._compare_rows()
        for sentence in self._used.differences(self._head):
            self._add(BUNDLE, sentence)
        balance = rows.mapping(self._head, "balance")
        for sentence in self._counts.differences(balance, self._journal.passed, self._journal.judged):
            self._add(BUNDLE, sentence)

    def _compare_rows(self) -> None:
        """The members with the ledger's rows that the chain records."""
        chain, whole = self._journal.recorded, self._links.is_chained and not self._links.unchained
        for sentence in chain.contradictions():
            self._add(JOURNAL, sentence)
        for member, sentence in self._told.differences(chain, whole=whole):
            self._add(member, sentence)
        for sentence in self._told.dispositions(self._counts.units):
            self._add(UNITS, sentence)
        record = recorded.said(recorded.LOT, rows.mapping(self._head, "record"))
        if chain.difference(recorded.LOT, self._result.lot, record, whole=False) is not None:
            self._add(BUNDLE, "its work order is not the one that the chain has of the lot")

    def _compare_attempts(self) -> None:
        """The ledger's table of attempts with the sums of their events."""
        for number, told in self._attempts.items():
            events = self._journal.sums.get(number)
            if events is None and told.verdict is None:
                continue  # it still runs
            if events != told:
                said = "no verdict" if events is None else events.verdict
                self._add(ATTEMPTS, f"attempt {number} is not what its events in {JOURNAL} add up to ({said})")
        for number in self._journal.sums:
            if number not in self._attempts:
                self._add(JOURNAL, f"attempt {number} has events, and is not among the attempts")
        if (count := self._counts.found["exceptional attempts"]) != len(self._told.failures):
            self._add(
                EXCEPTIONS, f"{count} attempts failed or were void, and {ATTEMPTS} has {len(self._told.failures)}"
            )

    def _unproven(self, uid: str, unit: Unit, found: Certificates) -> Iterator[str]:
        """What is missing of the proof that a passed unit is what its identity says."""
        if unit.state != "passed":
            return
        proof = self._journal.passed.get(uid)
        if proof is None or proof.dac is None:
            missing = "attempt that passed it" if proof is None else "delivery of a certificate to its board"
            if not unit.elsewhere:
                yield f"{uid} is passed, and {JOURNAL} has no {missing}"
            return
        if proof.serial_number != unit.serial_number:
            yield f"{uid} has serial number {unit.serial_number}, and attempt {proof.attempt} gave it {proof.serial_number}"
        held = [each for each in found.by_uid.get(uid, []) if each.dac == proof.dac]
        if not held:
            yield f"{uid} was delivered DAC {proof.dac}, which is not among its certificates"
        elif held[0].key != proof.key:
            yield f"{uid}: DAC {proof.dac} is for the key {held[0].key}, and its board has proven the key {proof.key}"

    def _sum(self, found: Certificates, anchor: Anchor) -> None:
        result, links = self._result, self._links
        result.units, result.certificates = len(self._counts.units), found.count
        result.passed = self._counts.found["passed"]
        result.attempts, result.linked = len(self._attempts), links.told
        for pai in sorted(found.unrooted):
            if self._trusted.roots:
                self._add(f"pai/{pai}.pem", "none of the given PAAs has issued it")
            else:
                result.notes.append(
                    f"PAI {pai}: no PAA for it is in the bundle; give the one that you trust with --paa"
                )
        if links.unchained and self._trusted.chained:
            self._add(JOURNAL, f"{links.unchained} events have no line of the chain")
        elif links.unchained:
            result.notes.append(
                f"{links.unchained} events are from before the journal was a chain: no line covers them; --chained refuses that"
            )
        if links.untold:
            result.notes.append(
                f"{links.untold} stretches between the lot's lines are here by their hash alone: other lots, and what is sealed"
            )
        if self._journal.working:
            result.notes.append(f"{len(self._journal.working)} attempts had no verdict yet")
        result.notes += anchor.notes(links, self._trusted)

    def _lines(self, name: str, take: Callable[[Row], Iterator[str]]) -> None:
        def every() -> None:
            for number, row in self._bundle.lines(name):
                place = f"{name}, line {number}"
                try:
                    for sentence in take(row):
                        self._add(place, sentence)
                except NotABundle as exc:
                    self._add(place, str(exc))

        self._guarded(name, every)

    def _guarded(self, name: str, work: Callable[[], None]) -> bool:
        try:
            work()
        except NotABundle as exc:
            place, _, reason = str(exc).partition(": ")
            told = (place, reason) if place.startswith(name) else (name, str(exc))
            self._add(*told)
            return False
        return True

    def _sha256(self, name: str) -> str:
        return certificates.sha256(self._bundle.content(name))

    def _add(self, place: str, sentence: str) -> None:
        self._result.add(place, sentence)


def _silent(take: Callable[[Row], None]) -> Callable[[Row], Iterator[str]]:
    def taken(row: Row) -> Iterator[str]:
        take(row)
        return iter(())

    return taken
