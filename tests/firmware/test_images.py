# SPDX-License-Identifier: Apache-2.0
"""The committed images equal the build of the source, and the agent uses only the allowed part of a C library."""

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.firmware.host_board import AGENT, SOURCE

pytestmark = pytest.mark.line
IMAGES = SOURCE.parent
MANIFEST = (IMAGES / "manifest.toml").read_text()
ARM = [
    "arm-none-eabi-gcc",
    "-mcpu=cortex-m4",
    "-mthumb",
    "-std=c11",
    "-ffreestanding",
    "-Os",
    "-Wall",
    "-Wextra",
    "-Werror",
]
LIBC = SOURCE / "ports/stm32wb55/libc"
STRING = {"memcpy", "memmove", "memset", "memcmp"}
BUILT = sorted(
    path.name for path in IMAGES.glob("*.bin") if path.name not in {"operational-flash.bin", "operational-secure.bin"}
)


def test_the_source_makes_the_committed_images(tmp_path: Path) -> None:
    """The manifest's compiler builds them in another folder, with at most 12 KB of text for the agent."""
    named = re.search(r"^# Compiler: (.+)$", MANIFEST, re.MULTILINE)
    assert named is not None
    version = subprocess.run([ARM[0], "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    if version != named[1]:
        # Another compiler makes other bytes. CI has the manifest's compiler, otherwise this test fails there.
        pytest.skip(f"the images were built by {named[1]}, and here is {version}")
    elsewhere, built = tmp_path / "elsewhere", tmp_path / "built"
    shutil.copytree(IMAGES, elsewhere)
    built.mkdir()
    subprocess.run([sys.executable, elsewhere / "build.py", "--to", built], check=True)
    assert sorted(path.name for path in built.iterdir()) == BUILT
    for name in BUILT:
        assert (built / name).read_bytes() == (IMAGES / name).read_bytes(), name


def test_the_manifest_has_the_images_hashes() -> None:
    """Every file that the manifest names has its hash, the padded ones included."""
    for image in tomllib.loads(MANIFEST)["image"]:
        assert hashlib.sha256((IMAGES / image["file"]).read_bytes()).hexdigest() == image["sha256"], image["name"]


def test_the_manifest_has_the_images_version() -> None:
    """The version is the one in HELLO."""
    version = re.search(r'IMAGE_VERSION "(.+)"', (SOURCE / "images/version.h").read_text())
    assert version is not None
    assert {image["version"] for image in tomllib.loads(MANIFEST)["image"]} == {version[1]}
    assert version[1].encode() + b"\0" in (IMAGES / "provisioning-flash.bin").read_bytes()


@pytest.mark.parametrize("secure", [0, 1])
def test_the_agent_asks_for_nothing_but_its_hooks_and_string_h(tmp_path: Path, secure: int) -> None:
    """The agent is strict C11 without a heap, and has at most a dozen hooks."""
    for source in AGENT:
        made = tmp_path / f"{source.stem}.o"
        strict = ["-pedantic-errors", f"-I{LIBC}", f"-DAGENT_SECURE={secure}"]
        subprocess.run([*ARM, *strict, "-c", source, "-o", made], check=True)
    objects = sorted(tmp_path.glob("*.o"))
    listed = subprocess.run(["arm-none-eabi-nm", "-u", *objects], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"U (\w+)", listed))
    hooks = {name for name in needed if name.startswith("platform_")}
    assert {name for name in needed - hooks if not name.startswith("agent_")} <= STRING
    assert len(hooks) <= 12
    assert hooks <= set(re.findall(r"\b(platform_\w+)\(", (SOURCE / "agent/platform.h").read_text()))


def test_the_example_for_sts_hal_has_every_hook(tmp_path: Path) -> None:
    """The PSA port has the other four hooks."""
    made = tmp_path / "hal.o"
    includes = [f"-I{SOURCE / part}" for part in ("agent", "ports/hal_example", "ports/stm32wb55/libc")]
    subprocess.run([*ARM, *includes, "-c", SOURCE / "ports/hal_example/platform_hal.c", "-o", made], check=True)
    listed = subprocess.run(["arm-none-eabi-nm", "-g", made], capture_output=True, text=True, check=True).stdout
    psa = set(re.findall(r"^bool (platform_\w+)\(", (SOURCE / "ports/psa/p256_psa.c").read_text(), re.MULTILINE))
    wanted = set(re.findall(r"\b(platform_\w+)\(", (SOURCE / "agent/platform.h").read_text()))
    assert psa | set(re.findall(r"T (platform_\w+)", listed)) == wanted
    assert "U otCksDacInitialize" in listed
