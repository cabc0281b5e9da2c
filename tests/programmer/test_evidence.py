# SPDX-License-Identifier: Apache-2.0
"""Which lines count as proof, and which do not."""

import pytest

from station.adapters.programmer.complaints import LONGEST_SHOWN, redacted
from station.adapters.programmer.evidence import Erasure, FileWritten, MemoryRead
from station.adapters.programmer.output import Transcript
from station.adapters.programmer.output_line import is_memory_dump, line_of
from station.domain.product import Verify, Write
from station.domain.target import Region, Target
from station.faults.slot import BoardUnpowered, ProgrammerUnproven
from station.faults.unit import TargetWrong
from tests.builders.transcripts import DATA, IMAGE, PROBE, heard, lines, recorded

UID = "1e0039000751313532393338"


def files(transcript: Transcript) -> list[FileWritten]:
    return [item for item in transcript.items if isinstance(item, FileWritten)]


def lacking(transcript: Transcript) -> list[str | None]:
    """The missing evidence of the data, and of the image."""
    return [
        file.missing(write, name)
        for file, write, name in zip(
            files(transcript), (DATA, IMAGE), ("factory-data.bin", "provisioning.bin"), strict=True
        )
    ]


@pytest.mark.parametrize("version", ["2.4", "2.7", "2.17", "2.19", "2.22", "2.10-second-attempt-after-a-bare-error"])
def test_a_first_connection_tells_who_the_board_is(version: str) -> None:
    """Every version shows the UID; its words become bytes in memory order."""
    name = version if "-" in version else f"{version}-identify"
    target = recorded(name).target()
    assert (str(target.uid), target.device_id, target.readout_protection) == (UID, 0x495, 0xAA)
    assert target.programmer_version.startswith(version.partition("-")[0])
    assert target.supply_mv in {3260, 3270}


def test_a_target_has_all_that_the_header_tells() -> None:
    """The target has the versions of tool and probe firmware, for the record."""
    target = recorded("2.19-identify").target()
    assert isinstance(target, Target)
    assert (target.revision, target.probe_firmware, target.programmer_version) == ("Rev Y", "V2J45M30", "2.19.0")


def test_words_for_the_record_are_bounded() -> None:
    """The ledger keeps the programmer's texts for ever, so their length is limited."""
    endless = [
        line.replace("V2J45M30", "V" * 10_000).replace("2.19.0", "2" * 10_000) for line in lines("2.19-identify")
    ]
    target = heard(*endless).target()
    assert max(map(len, (target.probe_firmware, target.programmer_version))) <= LONGEST_SHOWN


def test_a_protected_board_is_identified_as_protected() -> None:
    """The recipe judges the protection."""
    assert recorded("2.19-identify-protected").target().readout_protection == 0xBB


@pytest.mark.parametrize("lost", ["0x1FFF7590 :", "RDP", "Voltage", "Device ID"])
def test_a_target_is_not_told_from_half_the_proof(lost: str) -> None:
    """UID, protection, supply and part are all needed."""
    with pytest.raises(ProgrammerUnproven):
        heard(*(line for line in lines("2.19-identify") if lost not in line)).target()


def test_two_words_are_not_a_uid() -> None:
    """A UID has three words."""
    with pytest.raises(ProgrammerUnproven):
        heard(*(line.removesuffix(" 38333932") for line in lines("2.19-identify"))).target()


def test_another_part_without_these_option_bytes_is_a_wrong_part() -> None:
    """The wrong device ID is reported, not the missing option bytes."""
    said = [line.replace("0x495", "0x450") for line in lines("2.19-identify") if "RDP" not in line]
    with pytest.raises(TargetWrong):
        heard(*said).target()


@pytest.mark.parametrize("name", ["2.13-write", "2.17-write", "2.18-write", "2.19-write"])
def test_each_file_has_its_own_evidence(name: str) -> None:
    """Lines may come in any order, or twice."""
    transcript = recorded(name)
    assert lacking(transcript) == [None, None]
    assert transcript.facts == {"reset"}
    assert transcript.fault(PROBE, 0) is None


def test_evidence_grows_while_the_programmer_runs() -> None:
    """The first file is proven by its verification, before the second is begun."""
    transcript, seen = Transcript(), []
    for line in lines("2.19-write"):
        transcript.feed(line)
        seen.append([file.missing(DATA, "factory-data.bin") for file in files(transcript)])
    changes = [state for state, before in zip(seen[1:], seen, strict=False) if state != before]
    assert changes == [
        ["its address 0x901C0000"],
        ["erased external sectors 28 to 28"],
        ["download complete"],
        ["verified"],
        [None],
        [None, "its name, the programmer says provisioning.bin"],
    ]


def test_one_sector_is_told_in_the_singular() -> None:
    """One page of internal flash is one sector."""
    (file,) = files(recorded("2.19-write-one-page"))
    assert file.missing(DATA, "factory-data.bin") is None


@pytest.mark.parametrize(
    ("name", "missing"), [("2.19-without-loader", "external"), ("2.4-without-database", "internal")]
)
def test_success_without_an_erasure_is_not_proven(name: str, missing: str) -> None:
    """A skipped loader and an incomplete installation both report success."""
    transcript = recorded(name)
    first, write = files(transcript)[0], DATA if missing == "external" else IMAGE
    assert transcript.fault(PROBE, 0) is None
    assert first.missing(write, first.name) == str(Erasure.needed_by(write))


@pytest.mark.parametrize(
    ("wrong", "missing"),
    [
        (("[0 11]", "[0 10]"), "erased internal sectors 0 to 11"),
        (("[0 11]", "[1 11]"), "erased internal sectors 0 to 11"),
        (("internal memory", "external memory"), "erased internal sectors 0 to 11"),
        (("0x08000000", "0x08010000"), "its address 0x08000000"),
        (
            ("Erasing internal memory sectors [0 11]", "Not flash Memory : No erase done"),
            "erased internal sectors 0 to 11",
        ),
    ],
)
def test_evidence_of_another_place_is_none(wrong: tuple[str, str], missing: str) -> None:
    """Range, memory and address must be those of the write."""
    assert lacking(heard(*(line.replace(*wrong) for line in lines("2.19-write")))) == [None, missing]


def test_one_file_s_evidence_does_not_prove_another() -> None:
    """Two verifications of the first file leave the second unverified."""
    said = list(lines("2.19-write"))
    verified = "Download verified successfully "
    last = len(said) - 1 - said[::-1].index(verified)
    del said[last]
    said.insert(said.index(verified), verified)
    assert lacking(heard(*said)) == [None, "verified"]


def test_a_verification_before_the_download_proves_nothing() -> None:
    """Only a verification after the download compares the new bytes."""
    said = ["  File          : factory-data.bin", "Download verified successfully", "File download complete"]
    (file,) = files(heard(*said))
    assert (file.complete, file.verified) == (True, False)


def test_a_reset_before_the_last_file_is_not_the_reset_at_the_end() -> None:
    """The board must start with the file that was written last."""
    said = lines("2.19-write")
    begun = said.index("Opening and parsing file: provisioning.bin")
    assert not heard(*said[:begun], "Software reset is performed", *said[begun:-2]).facts


def test_a_read_is_told_as_done_and_where() -> None:
    """An upload of option bytes is not a read of memory."""
    transcript = recorded("2.19-read-write")
    assert transcript.items[0] == MemoryRead(0x901C0000, done=True)
    assert MemoryRead(0x901C0000, done=True).missing(Region(0x901C0000, 0x4000)) is None
    assert MemoryRead(0x901C0000, done=True).missing(Region(0x901D0000, 0x4000)) == "its address 0x901D0000"
    assert MemoryRead(0x901C0000).missing(Region(0x901C0000, 0x4000)) == "data read"
    assert recorded("2.19-identify").items == []


@pytest.mark.parametrize("lost", [["UPLOADING ..."], ["UPLOADING ...", "  Address       : 0x901C0000"]])
def test_a_read_is_told_by_its_end_alone(lost: list[str]) -> None:
    """No public log shows how a read begins; its bytes are compared anyway."""
    transcript = heard(*(line for line in lines("2.19-read-write") if line not in lost))
    assert transcript.items[0] == MemoryRead(done=True)
    assert len(transcript.items) == 2


def test_a_file_s_lines_that_come_twice_are_one_file() -> None:
    """Lines repeat one by one or as a block; the same holds for an upload."""
    file = ["  File          : a.bin", "  Size          : 1.56 KB", "  Address       : 0x901C0000"]
    assert len(heard(*file, *file).items) == 1
    read = ["UPLOADING ...", "UPLOADING ...", "Data read successfully", "Data read successfully"]
    assert heard(*read).items == [MemoryRead(done=True)]


@pytest.mark.parametrize(
    ("address", "size", "external", "erased"),
    [
        (0x080C7000, 183532, False, Erasure("internal", 199, 243)),  # GitHub issue, v2.9: 179.23 KB, [199 243]
        (0x08000000, 8192, False, Erasure("internal", 0, 1)),  # FUS operator: [0 1]
        (0x90000000, 293356, True, Erasure("external", 0, 4)),  # v2.19.0 log: 286.48 KB, [0 4]
        (0x08000000, 4096, False, Erasure("internal", 0, 0)),
        (0x08000000, 4097, False, Erasure("internal", 0, 1)),
        (0x901C0000, 65536, True, Erasure("external", 28, 28)),
    ],
)
def test_a_write_needs_the_sectors_that_it_touches(address: int, size: int, external: bool, erased: Erasure) -> None:  # noqa: FBT001
    """The tool counts sectors from the start of their memory."""
    assert Erasure.needed_by(Write("any", address, bytes(size), Verify.FULL, external)) == erased


def test_an_invocation_goes_on_with_the_right_powered_part_only() -> None:
    """The last header counts."""
    recorded("2.19-write").check_connected()
    with pytest.raises(TargetWrong, match="0x450"):
        heard(*(line.replace("0x495", "0x450") for line in lines("2.19-write"))).check_connected()
    with pytest.raises(BoardUnpowered, match=r"2\.41 V"):
        recorded("2.19-low-supply").check_connected()


def test_memory_is_not_recorded_but_for_the_uid() -> None:
    """A board's memory may contain secrets."""
    assert is_memory_dump("0x901C0000 : A94656B9 00000001 01010000 01010100")
    assert is_memory_dump("  0x901C0030 : 00000496  ")
    assert not is_memory_dump("0x1FFF7590 : 0039001E 35315107 38333932")
    assert not is_memory_dump("  Address       : 0x901C0000")


def test_bytes_that_were_compared_are_not_recorded() -> None:
    """The bytes may be those of a passcode."""
    shown = redacted("Error: Data mismatch found at address 0x901C0010 (byte = 0x21 instead of 0x00)")
    assert shown == "Error: Data mismatch found at address 0x901C0010 (…)"


@pytest.mark.parametrize(
    "line",
    [
        "0x901C0000 : A94656B9 00000001 01010000 01010100",
        "  0x901C0030 : 00000496  ",
        "Error: Data mismatch found at address 0x901C0000 (byte = 0xA9 instead of 0x00)",
        "RDP : 0xAA A94656B9",
        "RDP : 0xAA 0x901C0000 : A94656B9",
        "Value : 0xA94656B9",
    ],
)
def test_a_line_that_may_show_memory_is_not_remembered(line: str) -> None:
    """It would stay in the daemon's memory long after the board has left."""
    assert line_of(line) is not line_of(line)


def test_an_option_byte_is_remembered() -> None:
    """A third of the lines of a run shows one, and all boards show the same."""
    first = line_of("     RDP          : 0xAA (Level 0, no protection)")
    assert line_of("     RDP          : 0xAA (Level 0, no protection)") is first
    assert (first.field, first.number) == (("RDP", "0xAA (Level 0, no protection)"), 0xAA)
