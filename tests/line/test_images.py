# SPDX-License-Identifier: Apache-2.0
"""Wrong firmware images whose hashes the manifest has: the verification succeeds, but boards cannot run them."""

import hashlib
import random
from pathlib import Path

import pytest

from tests.builders.station_demo import ROOT, SHORT_DEADLINES, demonstrate
from tests.line.test_lock import recipe

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

IMAGE = (ROOT / "firmware_images" / "provisioning-flash.bin").read_bytes()
VECTORS = IMAGE[:8]


def recipe_with(folder: Path, image: bytes) -> Path:
    """The shipped recipe with another provisioning image, whose hash the manifest has."""
    (folder / "provisioning-flash.bin").write_bytes(image)
    for file in (ROOT / "firmware_images").glob("operational-*.bin"):
        (folder / file.name).symlink_to(file)
    manifest = (ROOT / "firmware_images" / "manifest.toml").read_text()
    old, new = (hashlib.sha256(content).hexdigest() for content in (IMAGE, image))
    assert old in manifest
    (folder / "manifest.toml").write_text(manifest.replace(old, new))
    path = recipe(folder, "")
    text = path.read_text()
    path.write_text(text.replace(f'"{ROOT}/firmware_images/manifest.toml"', f'"{folder}/manifest.toml"'))
    return path


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


@pytest.mark.parametrize(
    "wrong",
    [
        random.Random(5).randbytes(9000),
        IMAGE[:4000],
        b"\xff" * 4096 + IMAGE,
        words(0x20030000, 0x080CB101) + random.Random(6).randbytes(9000),
    ],
    ids=["random", "truncated", "at a wrong base", "of the other core"],
)
def test_an_image_that_cannot_start_is_refused_before_the_line_opens(tmp_path: Path, wrong: bytes) -> None:
    """No board gets the image."""
    run = demonstrate(tmp_path, "--boards", "1", "--recipe", str(recipe_with(tmp_path, wrong)))
    assert run.exit_status == 3
    assert "vector" in run.output


@pytest.mark.parametrize(
    "wrong",
    [
        VECTORS + random.Random(5).randbytes(9000),
        words(0x20030000, 0x08001001) + b"\xff" * 4096 + IMAGE,
        IMAGE.replace(b"\x30\xbf", b"\x00\xde"),
    ],
    ids=["random", "shifted", "with an instruction overwritten"],
)
def test_a_board_that_cannot_run_its_image_fails_as_silent(tmp_path: Path, wrong: bytes) -> None:
    """The flash is right, but the board sends nothing. There is no healthy board that a slow machine could make late."""
    options = ("--boards", "2", "--recipe", str(recipe_with(tmp_path, wrong)))
    run = demonstrate(tmp_path, *options, deadlines={**SHORT_DEADLINES, "STATION__BOARD__BOOT_WITHIN": "15"})
    assert run.exit_status == 1
    assert [(board["verdict"], board["fault"]) for board in run.report["boards"]] == [("fail", "board.silent")] * 2
    crashed = [line for line in run.lines("bench.jsonl") if line["event"] == "crashed"]
    assert {line["board"] for line in crashed} == {1, 2}
