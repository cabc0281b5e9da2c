# SPDX-License-Identifier: Apache-2.0
"""The CHIP SDK's verifier and the station's judge the same mutated attestations; what only the station refuses must be listed.

`python -m tests.commissioning.differential --seconds 3600` (`make fuzz-attestation`); `--seed SEED --case NUMBER` repeats one case.
"""

import argparse
import json
import re
import secrets
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from station.faults.line import CredentialsInvalid, DeclarationInvalid
from station.matter.certificates.attestation import Attestation, Product, check_attestation
from station.matter.certificates.trust import TrustStore
from station.matter.certificates.x509 import Certificate
from tests.builders.forge import DAC_KEY
from tests.commissioning.chip_verifier import CHALLENGE, NONCE
from tests.commissioning.mutant import CERTIFICATES, SIGNERS, Mutant
from tests.commissioning.mutated_attestations import mutant

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LISTED = HERE / "stricter_than_chip.toml"
TEST_SIGNER = {"signer": (SIGNERS / "Chip-Test-CD-Signing-Cert.der").read_bytes()}
ACCEPTED = "accepted"
CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Stricter:
    """A refusal that is the station's alone: its rule, its words, and the reason for it."""

    rule: str
    words: str
    why: str

    def is_for(self, verdict: str) -> bool:
        rule, _, words = verdict.partition(" ")
        return rule == self.rule and re.fullmatch(self.words, words, re.DOTALL) is not None


@dataclass
class Tally:
    """The number of cases by both verdicts, and the cases in which the two differ without being listed."""

    cases: Counter[str] = field(default_factory=Counter)
    accepted_alone: list[str] = field(default_factory=list)
    refused_unlisted: list[str] = field(default_factory=list)

    def take(self, case: str, ours: str, chips: str, listed: Iterable[Stricter]) -> None:
        self.cases[
            f"{'accepted' if ours == ACCEPTED else 'refused'} here, {'accepted' if chips == ACCEPTED else 'refused'} by CHIP"
        ] += 1
        if ours == ACCEPTED != chips:
            self.accepted_alone.append(f"{case}: CHIP's verdict is {chips}")
        if chips == ACCEPTED != ours and not any(entry.is_for(ours) for entry in listed):
            self.refused_unlisted.append(f"{case}: {ours}")

    def __str__(self) -> str:
        lines = [f"{number:8} {verdicts}" for verdicts, number in sorted(self.cases.items())]
        for title, cases in (
            ("accepted here alone", self.accepted_alone),
            ("refused here alone, not listed", self.refused_unlisted),
        ):
            lines += [f"{len(cases):8} {title}", *(" " * 9 + case for case in cases)]
        return "\n".join(lines) + "\n"


class Chip:
    """The SDK's verifier in a process of its own, which is started again after an input that crashes it."""

    def __init__(self) -> None:
        (library,) = HERE.glob(".venv/lib/python3*/site-packages/chip/_ChipDeviceCtrl.so")
        self._command = [sys.executable, "-m", "tests.commissioning.chip_verifier", str(library)]
        self._process: subprocess.Popen[str] | None = None

    def verdict(self, made: Mutant) -> str:
        """The number of its verdict, "accepted", or "crashed"."""
        process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(_asked(made)) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.close()
            return CRASHED
        return ACCEPTED if answer == "0" else answer

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _started(self) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        return self._process


@contextmanager
def chip() -> Iterator[Chip]:
    verifier = Chip()
    try:
        yield verifier
    finally:
        verifier.close()


def listed() -> tuple[Stricter, ...]:
    """The refusals that people have reviewed."""
    entries = tomllib.loads(LISTED.read_text(encoding="utf-8"))["stricter"]
    return tuple(Stricter(entry["rule"], entry["words"], entry["why"]) for entry in entries)


def station(made: Mutant, at: datetime) -> str:
    """The station's rule and words, or "accepted"; the board then holds the DAC's key, or P1 is broken."""
    dac, pai, cd = (made.bytes_of(part) for part in ("dac", "pai", "declaration"))
    trust = TrustStore.of({"paa": made.bytes_of("paa")}, TEST_SIGNER)
    if trust.unreadable:
        return trust.unreadable[0].removeprefix("paa: ")
    try:
        check_attestation(
            Attestation(dac, pai, cd), Product(made.vendor_id, made.product_id), trust, at=at, production=False
        )
    except (CredentialsInvalid, DeclarationInvalid) as fault:
        return f"{fault.rule} {fault.reason}"
    if Certificate.read(dac).public_key != DAC_KEY.public_key():
        return "P1 DAC: another key"
    return ACCEPTED


def compared(seed: str, numbers: Iterable[int], until: float = float("inf")) -> Tally:
    """Judges the cases of these numbers with both, to the moment of the monotonic clock at which it is enough."""
    tally, entries = Tally(), listed()
    with chip() as verifier:
        for number in numbers:
            made, now = mutant(seed, number), datetime.now(UTC)
            case = f"--seed {seed} --case {number} ({', '.join(made.changes)})"
            tally.take(case, station(made, now), verifier.verdict(made), entries)
            if time.monotonic() > until:
                break
    return tally


def _asked(made: Mutant) -> dict[str, str | int]:
    cd = made.bytes_of("declaration")
    elements = (
        b"\x15\x31\x01"
        + len(cd).to_bytes(2, "little")
        + cd
        + b"\x30\x02\x20"
        + NONCE
        + b"\x26\x03"
        + bytes(4)
        + b"\x18"
    )
    pair = decode_dss_signature(DAC_KEY.sign(elements + CHALLENGE, ec.ECDSA(hashes.SHA256())))
    signature = b"".join(number.to_bytes(32, "big") for number in pair)
    parts = {part: made.bytes_of(part).hex() for part in ("dac", "pai", "paa")}
    ids = {"vendor_id": made.vendor_id, "product_id": made.product_id}
    return {"elements": elements.hex(), "signature": signature.hex(), **parts, **ids}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default=secrets.token_hex(4))
    parser.add_argument("--count", type=int, help="how many cases")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--case", type=int, help="one case, with both verdicts")
    arguments = parser.parse_args()
    say = sys.stdout.write
    if arguments.case is not None:
        made = mutant(arguments.seed, arguments.case)
        with chip() as verifier:
            say(f"station: {station(made, datetime.now(UTC))}\nCHIP: {verifier.verdict(made)}\n")
        say("".join(f"{part} {made.bytes_of(part).hex()}\n" for part in (*CERTIFICATES, "declaration")))
        return 0
    say(f"seed {arguments.seed}\n")
    sys.stdout.flush()
    tally = compared(arguments.seed, islice(count(), arguments.count), time.monotonic() + arguments.seconds)
    say(str(tally))
    return 1 if tally.accepted_alone or tally.refused_unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
