# SPDX-License-Identifier: Apache-2.0
"""Verifies a bundle by itself: signature, hashes, journal, certificates and counts, without the ledger that it came from.

A bundle whose members are not those of its manifest is judged no further. Memory grows by two kilobytes a unit.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from station.evidence import certificates, rows
from station.evidence.anchor import Anchor
from station.evidence.certificates import Certificates
from station.evidence.counting import Counts, Unit
from station.evidence.form import (
    ATTEMPTS,
    AUDIT,
    BUNDLE,
    CERTIFICATES,
    EXCEPTIONS,
    FORMAT,
    JOURNAL,
    LABELS,
    MANIFEST,
    REQUESTS,
    SBOM,
    SIGNATURE,
    UNITS,
    NotABundle,
)
from station.evidence.journal import Journal, Links, Sum, line_of, summed
from station.evidence.reading import Bundle, reading
from station.evidence.rows import Row
from station.matter.certificates.names import Identifiers
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.x509 import Certificate

MOST = 1000  # findings that are told one by one


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be so: in which member, and what."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


@dataclass(slots=True)
class Result:
    """What was found, and what the bundle says of itself."""

    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    """Findings beyond the first thousand."""
    notes: list[str] = field(default_factory=list)
    """What could not be judged, and what a reader must know."""
    lot: str = ""
    made_at: str = ""
    signed_by: bytes = b""
    open: bool = False
    units: int = 0
    passed: int = 0
    attempts: int = 0
    certificates: int = 0
    linked: int = 0
    """Lines of the journal that link to the one before."""

    @property
    def is_sound(self) -> bool:
        return not self.findings


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the reader knows from elsewhere: keys of stations, and roots. Empty: whatever the bundle says is taken."""

    keys: Collection[bytes] = ()
    roots: Mapping[bytes, Certificate] = field(default_factory=dict)


def verify(path: Path, trusted: Trusted) -> Result:
    """Judges the bundle in this file; raises `OSError` where the file cannot be read."""
    result = Result()
    try:
        with reading(path) as bundle:
            result.lot, result.made_at = bundle.manifest.lot, bundle.manifest.made_at
            result.signed_by = bundle.signature.public_key
            _seal(bundle, trusted, result)
            if result.is_sound or all(each.place == SIGNATURE for each in result.findings):
                _Judgement(bundle, trusted, result).pronounce()
    except NotABundle as exc:
        place, _, reason = str(exc).partition(": ")
        _add(result, place if reason else "the file", reason or place)
    return result


def _seal(bundle: Bundle, trusted: Trusted, result: Result) -> None:
    """Signature and hashes."""
    if not bundle.signature.fits(bundle.signed):
        _add(result, MANIFEST, "its signature does not verify: the manifest was changed, or its signature or key was")
    if trusted.keys and bundle.signature.public_key not in trusted.keys:
        key = bundle.signature.public_key.hex()
        _add(result, SIGNATURE, f"the bundle is signed by the key {key}, which is none of the given keys")
    for place, reason in bundle.members_wrong():
        _add(result, place, reason)


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


class _Judgement:
    """Judges the content of a bundle whose members are those of its manifest."""

    def __init__(self, bundle: Bundle, trusted: Trusted, result: Result) -> None:
        self._bundle = bundle
        self._trusted = trusted
        self._result = result
        self._head: Row = {}
        self._counts = Counts()
        self._journal, self._links = Journal(), Links()
        self._attempts = dict[int, Sum]()
        self._failed = 0

    def pronounce(self) -> None:
        """Every check, each member in its order."""
        if not self._guarded(BUNDLE, self._about):
            return
        with _at(AUDIT):
            anchor = Anchor.read(self._bundle.json(AUDIT))
        self._links.awaited = anchor.awaited
        with _at(BUNDLE):
            found = self._certificates()
        self._lines(UNITS, self._counts.unit)
        self._lines(CERTIFICATES, self._certificate(found))
        self._lines(REQUESTS, _silent(self._counts.request))
        self._lines(ATTEMPTS, self._attempt)
        self._lines(JOURNAL, self._line)
        self._lines(LABELS, _silent(self._counts.label))
        self._lines(EXCEPTIONS, _silent(self._counts.exception))
        self._guarded(SBOM, self._components)
        with _at(BUNDLE):
            self._compare(found)
        for sentence in anchor.mistakes(self._links, self._bundle.signature.public_key, self._trusted.keys):
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

    def _certificate(self, found: Certificates) -> Callable[[Row], Iterator[str]]:
        def judged(row: Row) -> Iterator[str]:
            self._counts.certificate(row)
            yield from found.read(row)

        return judged

    def _attempt(self, row: Row) -> Iterator[str]:
        number, verdict = rows.number(row, "attempt"), rows.text_or_none(row, "verdict")
        if number in self._attempts:
            yield f"attempt {number} is there twice"
        told = (row.get("fault"), row.get("uid"), row.get("dac_serial_number"), rows.number(row, "events"))
        self._attempts[number] = summed(verdict, *told)
        self._failed += verdict in {"fail", "void"}

    def _line(self, row: Row) -> Iterator[str]:
        line = line_of(row)
        mistake = self._links.follow(line)
        if mistake is not None:
            yield mistake
        if line.text is not None:
            if line.number is not None and not line.text.startswith(f"[{line.number},"):
                yield f"line {line.number} has the text of another line"
            yield from self._journal.read(line.text)

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
        for held in (each for every in found.by_uid.values() for each in every):
            if self._journal.issued.get(held.dac, held.sha256) != held.sha256:
                self._add(CERTIFICATES, f"DAC {held.dac} is not the certificate in the chain")
        balance = rows.mapping(self._head, "balance")
        for sentence in self._counts.differences(balance, self._journal.passed, self._journal.judged):
            self._add(BUNDLE, sentence)

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
        if self._counts.found["exceptional attempts"] != self._failed:
            count = self._counts.found["exceptional attempts"]
            self._add(EXCEPTIONS, f"{count} attempts failed or were void, and {ATTEMPTS} has {self._failed}")

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
        if links.unchained:
            result.notes.append(
                f"{links.unchained} events are from before the journal was a chain: no line covers them"
            )
        if links.untold:
            result.notes.append(
                f"{links.untold} stretches between the lot's lines are here by their hash alone: other lots, and what is sealed"
            )
        if self._journal.working:
            result.notes.append(f"{len(self._journal.working)} attempts had no verdict yet")
        result.notes += anchor.notes(links)

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
            self._add(name, str(exc))
            return False
        return True

    def _sha256(self, name: str) -> str:
        return certificates.sha256(self._bundle.content(name))

    def _add(self, place: str, sentence: str) -> None:
        _add(self._result, place, sentence)


def _add(result: Result, place: str, sentence: str) -> None:
    if len(result.findings) < MOST:
        result.findings.append(Finding(place, sentence))
    else:
        result.more += 1


def _silent(take: Callable[[Row], None]) -> Callable[[Row], Iterator[str]]:
    def taken(row: Row) -> Iterator[str]:
        take(row)
        return iter(())

    return taken
