# SPDX-License-Identifier: Apache-2.0
"""The versions that FUS reports, and which of them are plausible."""

from dataclasses import replace

import pytest

from station.domain.attempt import CoprocessorReady
from station.domain.coprocessor import CoprocessorVersions, Version, WirelessStack
from station.domain.identity import IdentityState
from station.faults.unit import FUSOutdated, StackUnseen
from station.recipe import checks
from tests.domain.test_recipe import IDENTITY, PLAIN

STACK = WirelessStack("stack.bin", b"signed by ST", 0x08094000, Version(1, 24, 0, 3), Version(1, 2, 0))
NAMELESS = replace(STACK, version=None)
SEEN = CoprocessorReady(STACK.sha256, "1.2.0.0", "1.23.0.3", "1.24.0.3", upgraded=True)


def words(fus: int, stack: int) -> bytes:
    return fus.to_bytes(4, "little") + stack.to_bytes(4, "little")


def test_a_word_is_four_numbers_from_the_top() -> None:
    """The version is written in ST's form."""
    read = CoprocessorVersions.of_words(words(0x01020000, 0x01180003))
    assert read == CoprocessorVersions(Version(1, 2, 0, 0), Version(1, 24, 0, 3))
    assert (str(read.fus), read.stack_said) == ("1.2.0.0", "1.24.0.3")


@pytest.mark.parametrize("word", [0, 0xFFFFFFFF])
def test_a_coprocessor_without_a_stack_is_known_as_one(word: int) -> None:
    """The coprocessor still reports the version of its FUS."""
    read = CoprocessorVersions.of_words(words(0x00050300, word))
    assert read == CoprocessorVersions(Version(0, 5, 3), None)
    assert not STACK.stands(read)


@pytest.mark.parametrize(
    "read",
    [
        words(0x01020000, 0x130E0019),
        words(0x130E0019, 0x01180003),
        words(0, 0x01180003),
        words(0xFFFFFFFF, 0xFFFFFFFF),
        words(0x01020000, 0x00180003),
        words(0x01020000, 0x01180003)[:7],
        b"",
    ],
    ids=["stack", "FUS", "no FUS", "erased", "no such stack", "cut off", "nothing"],
)
def test_garbage_is_no_version(read: bytes) -> None:
    """Without a started FUS the version words are garbage."""
    assert CoprocessorVersions.of_words(read) is None


def test_a_version_reads_as_it_is_shown() -> None:
    """FUS versions may have three numbers, as in ST's documents."""
    assert Version.parse("1.24.0.3") == Version(1, 24, 0, 3)
    assert str(Version.parse("255.0.10.3")) == "255.0.10.3"
    assert Version.of_fus("1.2.0") == Version.of_fus("1.2.0.0") == Version(1, 2, 0)


@pytest.mark.parametrize(
    "text", ["", "1.24.0", "1.24.0.3.1", "v1.24.0.3", "1.256.0.3", "1.-2.0.3", "1.24.0.³", "1..0.3", "1.24.0.3 "]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    """A recipe cannot ask for an impossible version."""
    with pytest.raises(ValueError, match="is not a version"):
        Version.parse(text)


@pytest.mark.parametrize(("fus", "enough"), [((1, 1, 9), False), ((1, 2, 0), True), ((2, 0, 0), True)])
def test_an_old_fus_is_refused(fus: tuple[int, int, int], enough: bool) -> None:  # noqa: FBT001
    """The recipe may set the oldest accepted version of the FUS."""
    versions = CoprocessorVersions(Version(*fus), None)
    replace(STACK, smallest_fus=None).check_fus(versions)
    if enough:
        STACK.check_fus(versions)
    else:
        with pytest.raises(FUSOutdated, match=r"1\.1\.9\.0, expected 1\.2\.0\.0"):
            STACK.check_fus(versions)


@pytest.mark.parametrize(
    ("state", "seen", "stack", "refused"),
    [
        (IdentityState.RESERVED, None, STACK, False),
        (IdentityState.ON_BOARD, SEEN, STACK, False),
        (IdentityState.ON_BOARD, SEEN, NAMELESS, False),
        (IdentityState.ON_BOARD, None, STACK, True),
        (IdentityState.ON_BOARD, None, NAMELESS, True),
        (IdentityState.CERTIFIED, replace(SEEN, after="1.23.0.3"), STACK, True),
        (IdentityState.CERTIFIED, replace(SEEN, image="0a" * 32), NAMELESS, True),
        (IdentityState.CERTIFIED, None, None, False),
        (IdentityState.PASSED, SEEN, STACK, False),
        (IdentityState.PASSED, None, STACK, True),
    ],
)
def test_a_board_that_may_hold_a_key_must_have_been_seen_with_its_stack(
    state: IdentityState,
    seen: CoprocessorReady | None,
    stack: WirelessStack | None,
    refused: bool,  # noqa: FBT001
) -> None:
    """The station leaves that board's coprocessor alone, and that of a unit that has passed."""
    recipe, identity = replace(PLAIN, wireless_stack=stack), replace(IDENTITY, state=state, coprocessor=seen)
    if refused:
        with pytest.raises(StackUnseen):
            checks.check_coprocessor(recipe, identity)
    else:
        checks.check_coprocessor(recipe, identity)


def test_the_stack_is_one_of_the_images_that_the_ledger_writes_down() -> None:
    """The ledger lists the stack's SHA-256 before the images that are flashed after it."""
    images = replace(PLAIN, wireless_stack=STACK).images
    assert [image.name for image in images] == ["stack.bin", "provisioning-flash", "operational-flash"]
