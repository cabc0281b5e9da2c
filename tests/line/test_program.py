# SPDX-License-Identifier: Apache-2.0
"""A PKI that a program asks: its exit statuses, its output, its deadline, and its end."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.program import Program, Status
from station.faults import Fault
from station.faults.line import PKIAuthoritiesInvalid, PKIFileUnusable, PKIRefusedStation, PKIUnavailable
from station.faults.unit import CSRRejected
from tests.line.relay_bench import PAA, PAI, dac_for, new_csr

PATIENT = 200.0


def pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


class Scripts:
    """Programs of `/bin/sh` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def script(self, name: str, body: str) -> tuple[str, ...]:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\ncd '{self.folder}' || exit 99\n{body}\n")
        path.chmod(0o755)
        return (str(path), "an argument")

    def program(self, body: str, *, check: str | None = None, within: float = PATIENT) -> Program:
        checking = None if check is None else self.script("check", check)
        command = self.script("enrol", body)
        return Program("exec:enrol", command, check=checking, within=within, pinned=PAI.certificate)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


async def refusal(what: Awaitable[object]) -> AnswerUnusable | Fault | NotNow:
    with pytest.raises((AnswerUnusable, Fault, NotNow)) as caught:
        await what
    assert isinstance(caught.value, AnswerUnusable | Fault | NotNow)
    return caught.value


async def test_the_certificate_is_the_one_for_the_key(scripts: Scripts) -> None:
    """The program gets the CSR in PEM and prints certificates in any order, with text between them."""
    csr, other = new_csr(), new_csr()
    dac, foreign = dac_for(csr), dac_for(other)
    scripts.write("answer", f"Thank you.\n{pem(foreign)}{pem(dac)}")
    issued = await scripts.program("cat > got; echo working >&2; cat answer").enroll(csr)
    assert (issued.certificate, issued.others) == (dac, (foreign,))
    assert x509.load_pem_x509_csr(scripts.read("got").encode()).public_bytes(Encoding.DER) == csr


async def test_the_program_has_little_of_the_stations_environment(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its arguments are those of the configuration, and no setting of the station reaches it."""
    monkeypatch.setenv("STATION__PKI__URL", "https://secret.example")
    monkeypatch.setenv("INVOCATION_ID", "of the supervisor")
    await refusal(scripts.program('env > environment; echo "$@" > arguments; exit 11').enroll(new_csr()))
    names = {line.partition("=")[0] for line in scripts.read("environment").splitlines()}
    assert names <= {"HOME", "PATH", "TMPDIR", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_", "STATION_CHILD"}
    assert scripts.read("arguments") == "an argument\n"


async def test_each_exit_status_has_its_meaning(scripts: Scripts) -> None:
    """The reason is the last line of the standard error."""
    told = "echo first >&2; echo 'no such\tprofile' >&2"

    async def ended(status: int) -> AnswerUnusable | Fault | NotNow:
        return await refusal(scripts.program(f"{told}; exit {status}").enroll(new_csr()))

    rejected = await ended(Status.REQUEST_REFUSED)
    assert isinstance(rejected, CSRRejected)
    assert rejected.reason == "exit status 10: no such profile"
    station = await ended(Status.STATION_REFUSED)
    assert isinstance(station, PKIRefusedStation)
    outcomes = {
        Status.NOT_NOW: Outcome.NOTHING_ISSUED,
        Status.PENDING: Outcome.PENDING,
        1: Outcome.UNKNOWN,
        127: Outcome.UNKNOWN,
    }
    for status, outcome in outcomes.items():
        not_now = await ended(status)
        assert isinstance(not_now, NotNow)
        assert (not_now.outcome, not_now.after) == (outcome, None)


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("retry-after: 20", 20.0),
        ("Retry-After: 0", 0.0),
        ("retry-after: soon", None),
        ("retry-after: " + "9" * 400, 86400.0),
    ],
)
async def test_a_program_may_say_when_to_come_back(scripts: Scripts, line: str, after: float | None) -> None:
    """The line is no reason, wherever it stands."""
    program = scripts.program(f"echo 'the CA is busy' >&2; echo '{line}' >&2; exit 11")
    not_now = await refusal(program.enroll(new_csr()))
    assert isinstance(not_now, NotNow)
    assert (not_now.reason, not_now.after) == ("exit status 11: the CA is busy", after)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("true", "the program printed nothing"),
        ("echo '<html>'", "the program printed HTML"),
        ("cat other", "0 certificates for the key"),
        ("cat twice", "2 certificates for the key"),
        ("yes", "it printed more than 65536 bytes"),
    ],
)
async def test_an_unusable_answer_is_kept(scripts: Scripts, body: str, words: str) -> None:
    """Status 0 says that something was issued."""
    csr = new_csr()
    scripts.write("other", pem(dac_for(new_csr())))
    scripts.write("twice", pem(dac_for(csr)) + pem(dac_for(csr)))
    unusable = await refusal(scripts.program(body).enroll(csr))
    assert isinstance(unusable, AnswerUnusable)
    assert words in str(unusable.fault)
    if body.startswith("cat"):
        assert unusable.certificates
        assert b"CERTIFICATE" in unusable.content


CHATTER = "head -c 70000 /dev/zero | tr '\\0' x"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"cat good; {CHATTER}", "more than 65536 bytes"),
        ("cat good; echo oops >&2; exit 1", "but: exit status 1: oops"),
        ("cat good; exit 11", "but: exit status 11"),
        ("cat good; kill -9 $$", "but: signal 9"),
    ],
)
async def test_a_certificate_is_kept_whatever_the_program_says_after_it(
    scripts: Scripts, body: str, words: str
) -> None:
    """It was issued, so it must be in the list of orphans."""
    csr = new_csr()
    good = dac_for(csr)
    scripts.write("good", pem(good))
    unusable = await refusal(scripts.program(body).enroll(csr))
    assert isinstance(unusable, AnswerUnusable)
    assert words in str(unusable.fault)
    assert unusable.certificates == (good,)
    assert 0 < len(unusable.content) <= 65536


@pytest.mark.slow
async def test_a_certificate_of_a_program_that_then_hangs_is_kept(scripts: Scripts) -> None:
    csr = new_csr()
    scripts.write("good", pem(dac_for(csr)))
    unusable = await refusal(scripts.program("cat good; sleep 100000", within=12.0).enroll(csr))
    assert isinstance(unusable, AnswerUnusable)
    assert "but: the program did not end within 12 s" in str(unusable.fault)


async def test_a_certificate_may_be_in_one_long_line(scripts: Scripts) -> None:
    """Some tools do not wrap base64, and some write the whole chain into one PKCS#7."""
    csr = new_csr()
    good = dac_for(csr)
    loaded = [x509.load_der_x509_certificate(good), *[PAI.certificate, PAA.certificate] * 4]
    whole = base64.b64encode(pkcs7.serialize_certificates(loaded, Encoding.DER)).decode()
    assert len(whole) > 4096
    scripts.write("p7", f"-----BEGIN PKCS7-----\n{whole}\n-----END PKCS7-----\n")
    assert (await scripts.program("cat p7").enroll(csr)).certificate == good


async def test_a_program_may_leave_its_input_unread(scripts: Scripts) -> None:
    csr = new_csr()
    scripts.write("good", pem(dac_for(csr)))
    assert (await scripts.program("exec <&-; cat good").enroll(csr)).certificate


async def test_a_killed_program_may_have_issued(scripts: Scripts) -> None:
    """A signal is no exit status."""
    not_now = await refusal(scripts.program("echo sending >&2; kill -9 $$").enroll(new_csr()))
    assert isinstance(not_now, NotNow)
    assert (not_now.reason, not_now.outcome) == ("signal 9: sending", Outcome.UNKNOWN)


def lives(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()  # nobody may be there to reap it
    except OSError:
        return False


STARTS_ANOTHER = "trap '' INT TERM; echo asked >&2; sleep 100000 & echo $! > child; mv child pid; wait"


@pytest.mark.slow
async def test_a_late_program_is_killed_with_all_that_it_started(scripts: Scripts) -> None:
    """The request may have been sent."""
    program = scripts.program(STARTS_ANOTHER, within=12.0)
    not_now = await refusal(program.enroll(new_csr()))
    assert isinstance(not_now, NotNow)
    assert not_now.outcome is Outcome.UNKNOWN
    assert not_now.reason.startswith("the program did not end within 12 s, and was killed")
    assert not lives(int(scripts.read("pid")))


async def test_a_cancelled_request_leaves_no_process(scripts: Scripts) -> None:
    """As when the station ends."""
    task = asyncio.ensure_future(scripts.program(STARTS_ANOTHER).enroll(new_csr()))
    while not (scripts.folder / "pid").exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not lives(int(scripts.read("pid")))


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.chmod(0o644)], ids=["gone", "not executable"])
async def test_a_program_that_cannot_be_started_has_issued_nothing(
    scripts: Scripts, spoil: Callable[[Path], None]
) -> None:
    """The line pauses with the program's name; without `check` that is seen before a board needs its DAC."""
    program = scripts.program("true")
    spoil(scripts.folder / "enrol")
    for asked in (program.enroll(new_csr()), program.authorities()):
        fault = await refusal(asked)
        assert isinstance(fault, PKIFileUnusable)
        assert fault.file == str(scripts.folder / "enrol")


async def test_the_authorities_are_those_that_check_prints(scripts: Scripts) -> None:
    """Without such a program there is the pinned one only."""
    scripts.write("authorities", pem(PAA.certificate.public_bytes(Encoding.DER)))
    assert await scripts.program("true", check="cat authorities").authorities() == [PAA.certificate]
    assert await scripts.program("true").authorities() == [PAI.certificate]


@pytest.mark.parametrize(
    ("check", "fault"),
    [("exit 1", PKIUnavailable), ("exit 13", PKIRefusedStation), ("echo '<html>'", PKIAuthoritiesInvalid)],
)
async def test_a_check_may_fail(scripts: Scripts, check: str, fault: type[Fault]) -> None:
    """The line waits until it succeeds."""
    assert isinstance(await refusal(scripts.program("true", check=f"echo away >&2; {check}").authorities()), fault)
