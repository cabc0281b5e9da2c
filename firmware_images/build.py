# SPDX-License-Identifier: Apache-2.0
"""Builds the firmware images from firmware_images/source with gcc-arm-none-eabi, the same bytes on every machine.

`python firmware_images/build.py` writes them beside this file, with their SHA-256 in manifest.toml; `--to DIR` writes them
elsewhere and leaves the manifest alone. Only the standard library is used.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from padding import PADDED, STAND_IN, padded

HERE = Path(__file__).parent
SOURCE = HERE / "source"
MANIFEST = HERE / "manifest.toml"
COMPILER, OBJCOPY, SIZE = "arm-none-eabi-gcc", "arm-none-eabi-objcopy", "arm-none-eabi-size"
AGENT_LIMIT = 12 * 1024  # bytes of text

TARGET = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"]
FLAGS = [
    *TARGET,
    *["-std=gnu11", "-ffreestanding", "-Os", "-ffunction-sections", "-fdata-sections", "-fno-common", "-fno-ident"],
    *[
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wshadow",
        "-Wconversion",
        "-Wstrict-prototypes",
        "-Wmissing-prototypes",
        "-Wundef",
        "-Wvla",
    ],
    "-Wno-pedantic",
]
# Its loops are for speed, and must not become calls of themselves.
FLAGS_OF_LIBRARY = ["-O2", "-fno-tree-loop-distribute-patterns"]
LINKING = [*TARGET, "-nostdlib", "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,--fatal-warnings"]
IN_RAM = ["-Wl,--no-warn-rwx-segments"]  # code and data share one memory

AGENT = ("agent", "certificate", "csr", "factory_data", "frames", "key", "scalar", "sha256")
PORT = ("board", "clock", "flash", "mailbox", "pka", "qspi", "rng", "semaphore", "startup", "time", "uart")


@dataclass(frozen=True)
class Image:
    name: str
    main: str
    secure: bool = False
    ram: bool = False  # loaded into RAM by a probe and started there


IMAGES = (
    Image("provisioning-flash", "provisioning"),
    Image("provisioning-secure", "provisioning", secure=True),
    Image("operational-stand-in", "operational"),
    Image("st-demonstration-flash", "demonstration"),
    Image("st-demonstration-secure", "demonstration", secure=True),
    Image("provisioning-flash-ram", "provisioning", ram=True),
    Image("provisioning-secure-ram", "provisioning", secure=True, ram=True),
)


def compiler_version() -> str:
    """The compiler's name and version; another version makes other bytes."""
    found = subprocess.run([COMPILER, "--version"], check=True, capture_output=True, text=True)
    return found.stdout.splitlines()[0]


def build(image: Image, folder: Path) -> Path:
    """Compiles and links one image into a folder; returns its binary."""
    objects = []
    sources = [SOURCE / "agent" / f"{name}.c" for name in AGENT]
    sources += [SOURCE / "ports/stm32wb55" / f"{name}.c" for name in (*PORT, *(["ram_start"] if image.ram else []))]
    sources += [SOURCE / "ports/stm32wb55/libc/string.c", SOURCE / "images" / f"{image.main}.c"]
    includes = [f"-I{SOURCE / part}" for part in ("agent", "ports/stm32wb55", "ports/stm32wb55/libc", "images")]
    for source in sources:
        made = folder / f"{image.name}-{source.parent.name}-{source.stem}.o"
        # The image must not depend on the names of files and folders.
        mapped = f"-ffile-prefix-map={SOURCE}=."
        library = FLAGS_OF_LIBRARY if source.parent.name == "libc" else []
        run(
            COMPILER,
            *FLAGS,
            *library,
            mapped,
            *includes,
            f"-DAGENT_SECURE={int(image.secure)}",
            f"-DPORT_IN_RAM={int(image.ram)}",
            "-c",
            source,
            "-o",
            made,
        )
        objects.append(made)
    linked = folder / f"{image.name}.elf"
    script = SOURCE / "ports/stm32wb55" / ("link-ram.ld" if image.ram else "link.ld")
    run(COMPILER, *LINKING, *(IN_RAM if image.ram else []), f"-T{script}", *objects, "-lgcc", "-o", linked)
    binary = folder / f"{image.name}.bin"
    run(OBJCOPY, "-O", "binary", linked, binary)
    return binary


def agent_text(image: Image, folder: Path) -> int:
    """The bytes of code and constants that the agent adds to an application."""
    objects = [folder / f"{image.name}-agent-{name}.o" for name in AGENT]
    sized = subprocess.run([SIZE, *objects], check=True, capture_output=True, text=True)
    return sum(int(line.split()[0]) for line in sized.stdout.splitlines()[1:])


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True)


def record(digests: dict[str, str], version: str) -> None:
    """Writes the built images' SHA-256 and sizes into their entries of the manifest."""
    manifest = MANIFEST.read_text()
    for file, digest in digests.items():
        manifest = re.sub(
            rf'(file = "{re.escape(file)}"(?:\n.+)*?\nsha256 = ")[0-9a-f]*"', rf'\g<1>{digest}"', manifest
        )
    MANIFEST.write_text(re.sub(r"# Compiler: .*", f"# Compiler: {version}", manifest))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=HERE, metavar="DIR")
    to = parser.parse_args().to
    digests = {}
    fits = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for image in IMAGES:
            content = build(image, folder).read_bytes()
            (to / f"{image.name}.bin").write_bytes(content)
            digests[f"{image.name}.bin"] = hashlib.sha256(content).hexdigest()
            print(f"{digests[f'{image.name}.bin']}  {image.name}.bin, {len(content)} bytes")
        for image in IMAGES[:2]:
            size = agent_text(image, folder)
            fits = fits and size <= AGENT_LIMIT
            print(f"agent in {image.name}: {size} bytes of text, {AGENT_LIMIT} allowed")
    if to == HERE:
        grown = padded((HERE / STAND_IN).read_bytes())
        digests |= dict.fromkeys(PADDED, hashlib.sha256(grown).hexdigest())
        record(digests, compiler_version())
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
