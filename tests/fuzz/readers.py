# SPDX-License-Identifier: Apache-2.0
"""Feeds every reader of the station with spoiled input; each input is accepted for a reason, or refused by name.

`python -m tests.fuzz.readers --count 1000000` (`make fuzz-readers`); `--case NUMBER` repeats one case.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from station.factory_data import flat_tlv, st_json
from station.factory_data.examination import REQUIRED
from station.factory_data.flat_tlv import FactoryData, Tag
from station.faults import Fault
from station.matter.certificates import chain
from station.matter.certificates.attestation import Attestation, Product, check_attestation
from station.matter.certificates.certification_declaration import CertificationDeclaration
from station.matter.certificates.dcl_answers import AnswerInvalid, Answers
from station.matter.certificates.dcl_trust import verified
from station.matter.certificates.pem import PEMInvalid, der_of
from station.matter.certificates.revocation import read_revocation_set
from station.matter.certificates.rules import RuleBroken
from station.matter.certificates.trust import TrustStore
from station.matter.onboarding import codes
from tests.builders.dcl_stub import NEW_PAA, NEW_SIGNER, OLD_SIGNER, Ledger
from tests.builders.forge import DAC, PAA, PAI, ForgedRequest
from tests.builders.forge_declaration import Declaration
from tests.builders.forge_unit import EXAMINATION, NOW, PRODUCT, RECORDS, TRUST, unit
from tests.fuzz.mutations import mutated

VECTORS = Path(__file__).parents[1] / "vectors"
REFUSALS = (Fault, RuleBroken, PEMInvalid, AnswerInvalid)
FITTING = (*REQUIRED[:4], Tag.DEVICE_ATTESTATION_PRIV_KEY)  # records whose every bit the certificates determine
KNOWN = (Tag.SPAKE2_ITERATION_COUNT, Tag.SPAKE2_SALT, Tag.SPAKE2_VERIFIER, Tag.SPAKE2_SETUP_PASSCODE)


class FalsePassError(AssertionError):
    """A reader accepted bad input."""


@dataclass(frozen=True)
class Target:
    """A reader; it gets a good input and its spoiled form, and returns if it accepts."""

    name: str
    seeds: tuple[bytes, ...]
    judge: Callable[[bytes, bytes], None]


def targets() -> Iterator[Target]:
    good = list(_attestations())
    for part in ("dac", "pai", "certification_declaration"):
        yield _attestation_target(part, {getattr(each[0], part): each for each in good})
    yield Target("DAC alone", (DAC.der,), lambda _, data: _discard(chain.read_certificate(chain.DAC, data)))
    yield Target("PAI alone", (PAI.der,), lambda _, data: _discard(chain.read_certificate(chain.PAI, data)))
    yield Target("PAA", (PAA.der,), _judge_paa)
    yield Target(
        "declaration alone", (Declaration().der,), lambda _, data: _discard(CertificationDeclaration.read(data))
    )
    yield Target("CSR", (ForgedRequest().der,), _judge_csr)
    yield Target("factory data", (flat_tlv.encode(unit()), flat_tlv.encode(_samples_of_st())), _judge_block)
    yield Target("records", tuple(RECORDS.values()), _judge_record)
    yield Target("QR code", tuple(_codes("chip_qr")), _judge_qr_code)
    yield Target("manual code", tuple(_codes("chip_manual")), _judge_manual_code)
    yield Target("JSON of ST", ((VECTORS / "st" / "Full_FactoryData.json").read_bytes(),), _judge_json)
    yield Target("PEM", (PEM,), lambda _, data: _discard(der_of(data, "CERTIFICATE")))
    yield Target("answer of the CSA's ledger", LEDGER, _judge_answer)
    yield Target("revocation set", (REVOCATIONS,), lambda _, data: _discard(read_revocation_set(data)))


PEM = (VECTORS / "attestation" / "cd-signers" / "Chip-Test-CD-Signing-Cert.pem").read_bytes()
REVOCATIONS = (
    b'[{"type": "revocation_set", "issuer_subject_key_id": "63540E47F64B1C38D13884A462D16C195D8FFB3C", '
    b'"issuer_name": "MDAxGDAWBgNVBAMM", "revoked_serial_numbers": ["069CDF10DE9E54ED", "1F"]}]'
)


def _discard(_accepted: object) -> None:
    """For readers of form alone, which may accept any input of that form."""


def _refuse_unless(condition: object, what: str) -> None:
    if not condition:
        raise FalsePassError(what)


def _attestations() -> Iterator[tuple[Attestation, Product, TrustStore]]:
    """The good upstream vectors, under the CHIP SDK's roots, and our own."""
    folder = VECTORS / "attestation"
    trust = TrustStore.of(
        {path.name: path.read_bytes() for path in (folder / "paa").iterdir()},
        {path.name: path.read_bytes() for path in (folder / "cd-signers").glob("*.der")},
    )
    for vector in json.loads((folder / "commissioner_vectors.json").read_text()).values():
        if vector["strict_accept"]:
            parts = (bytes.fromhex(vector[name]) for name in ("dac_cert", "pai_cert", "certification_declaration"))
            yield Attestation(*parts), replace(PRODUCT, product_id=vector["basic_info_pid"]), trust
    yield Attestation(DAC.der, PAI.der, Declaration().der), PRODUCT, TRUST


def _attestation_target(part: str, good: Mapping[bytes, tuple[Attestation, Product, TrustStore]]) -> Target:
    def judge(seed: bytes, data: bytes) -> None:
        shown, product, trust = good[seed]
        check_attestation(replace(shown, **{part: data}), product, trust, at=NOW, production=False)
        _refuse_unless(data in good, "a signature that does not fit what it stands under")

    return Target(f"attestation, {part}", tuple(good), judge)


def _judge_answer(_seed: bytes, data: bytes) -> None:
    answers = Answers()
    for content in LEDGER if data not in LEDGER else ():
        answers.add("good", content)
    answers.add("spoiled", data)
    found = verified(answers, TrustStore.of({"paa": PAA.der}, {"signer": OLD_SIGNER.der}))
    known = {PAA.der, NEW_PAA.der, OLD_SIGNER.der, NEW_SIGNER.der}
    _refuse_unless({each.der for each in (*found.paas.values(), *found.signers.values())} <= known, "a certificate")
    revoked = {number for each in found.revoked for number in each.serial_numbers}
    _refuse_unless(revoked <= {0x1F}, "a revocation that the authority has not signed")


LEDGER = tuple(Ledger().answers().values())


def _judge_paa(seed: bytes, data: bytes) -> None:
    chain.read_certificate(chain.PAA, data)
    _refuse_unless(data == seed, "a root that its own key did not sign")


def _judge_csr(seed: bytes, data: bytes) -> None:
    chain.check_csr(data)
    _refuse_unless(data == seed, "a request that its own key did not sign")


def _judge_block(_seed: bytes, data: bytes) -> None:
    found = flat_tlv.decode(data)
    _refuse_unless(flat_tlv.decode(flat_tlv.encode(found)).records == found.records, "two readings of one block")
    _judge_unit(found)


def _judge_record(seed: bytes, data: bytes) -> None:
    (tag,) = (tag for tag, value in RECORDS.items() if value == seed)
    _judge_unit(unit(**{tag.name: data}))


def _judge_unit(data: FactoryData) -> None:
    """Raises the first fault among the findings; in an accepted unit certificates, keys and verifier must match."""
    for finding in EXAMINATION.of(data):
        if finding.fault is not None:
            raise finding.fault
    records = data.records
    for tag in (*FITTING, *(KNOWN if Tag.SPAKE2_SETUP_PASSCODE in records else ())):
        _refuse_unless(tag not in records or records[tag] == RECORDS[tag], f"a unit with another {tag.name}")


def _samples_of_st() -> FactoryData:
    return st_json.from_json((VECTORS / "st" / "Full_FactoryData.json").read_bytes())


def _codes(name: str) -> Iterator[bytes]:
    for case in json.loads((VECTORS / "onboarding" / "onboarding_500.json").read_text()):
        yield case[name].encode()


def _judge_qr_code(_seed: bytes, data: bytes) -> None:
    for payload in codes.parse_qr_code(data.decode("latin-1")):
        again = codes.parse_qr_code(codes.qr_code(payload))
        _refuse_unless(again == (payload,), "a payload that cannot be written as it was read")


def _judge_manual_code(seed: bytes, data: bytes) -> None:
    codes.parse_manual_code(data.decode("latin-1"))
    mistyped = len(seed) == len(data) and sum(a != b for a, b in zip(seed, data, strict=True)) == 1
    _refuse_unless(not mistyped, "a code with one digit mistyped")


def _judge_json(_seed: bytes, data: bytes) -> None:
    found = st_json.from_json(data)
    again = json.dumps(st_json.to_json(found, reveal=True)).encode()
    _refuse_unless(st_json.from_json(again).records == found.records, "records that cannot be written again")


def run_case(everything: tuple[Target, ...], number: int) -> tuple[str, str]:
    """Runs one reproducible case; returns the target's name, and "accepted" or the refusal's name."""
    rng = Random(number)
    target = everything[number % len(everything)]
    seed = rng.choice(target.seeds)
    data = mutated(rng, seed, target.seeds)
    try:
        target.judge(seed, data)
    except REFUSALS as refusal:
        return target.name, _name(refusal)
    except Exception as exc:
        exc.add_note(f"case {number}, {target.name}: {data.hex()}")
        raise
    return target.name, "accepted"


def _name(refusal: Fault | RuleBroken | PEMInvalid | AnswerInvalid) -> str:
    match refusal:
        case RuleBroken():
            return refusal.rule.name
        case Fault():
            return refusal.evidence.get("rule", refusal.code)
        case AnswerInvalid():
            return "no answer"
        case _:
            return "PEM"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0, help="The number of the first case.")
    parser.add_argument("--case", type=int, help="Does this case alone.")
    options = parser.parse_args()
    everything = tuple(targets())
    if options.case is not None:
        sys.stdout.write(" ".join(run_case(everything, options.case)) + "\n")
        return
    began, seen = time.monotonic(), Counter[tuple[str, str]]()
    for number in range(options.first, options.first + options.count):
        seen[run_case(everything, number)] += 1
        if number % 100_000 == 99_999:
            sys.stdout.write(f"{number + 1} cases, {time.monotonic() - began:.0f} s\n")
            sys.stdout.flush()
    for target in everything:
        found = {name: count for (where, name), count in sorted(seen.items()) if where == target.name}
        sys.stdout.write(
            f"{target.name}: {sum(found.values())}, " + ", ".join(f"{n} {c}" for n, c in found.items()) + "\n"
        )
    sys.stdout.write(f"{options.count} inputs: each accepted for a reason or refused by name\n")


if __name__ == "__main__":
    main()
