# SPDX-License-Identifier: Apache-2.0
"""The places of programmer and loader, in ST's form and in others."""

from pathlib import Path

import pytest

from station.gen_factory_data.installation import DEFAULT_LOADER, InstallationMissing, find

NOWHERE = {"PATH": "", "HOME": "/nonexistent"}


def installed(folder: Path, executable: str = "STM32_Programmer_CLI", *loaders: str) -> Path:
    """The bin folder of an installation."""
    (folder / "ExternalLoader").mkdir(parents=True)
    (folder / executable).write_text("#!/bin/sh\n")
    (folder / executable).chmod(0o755)
    for loader in (DEFAULT_LOADER, *loaders):
        (folder / "ExternalLoader" / f"{loader}.stldr").write_bytes(b"loader")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation in an unusual place."""
    return installed(tmp_path / "Cube Programmer" / "bin", "STM32_Programmer_CLI", "MX25LM51245G_STM32L4R9I-EVAL")


@pytest.mark.parametrize("place", ["", "STM32_Programmer_CLI", "..", "."])
def test_the_programmer_is_a_folder_or_the_executable(folder: Path, place: str) -> None:
    """ST means the folder of the executables; the installation's folder is accepted, too."""
    found = find(str(folder / place), None, NOWHERE)
    assert found.cli.resolve() == folder / "STM32_Programmer_CLI"
    assert found.loader.resolve() == folder / "ExternalLoader" / f"{DEFAULT_LOADER}.stldr"


def test_the_executable_of_windows_is_known(tmp_path: Path) -> None:
    """On Windows the executable ends in `.exe`."""
    folder = installed(tmp_path / "bin", "STM32_Programmer_CLI.exe")
    assert find(str(folder), None, NOWHERE).cli.name == "STM32_Programmer_CLI.exe"


@pytest.mark.parametrize("ending", ["", "\\", '\\"', '"'])
def test_a_path_with_backslashes_is_read(folder: Path, ending: str) -> None:
    """cmd.exe leaves a quote after a path's last backslash."""
    assert find(str(folder).replace("/", "\\") + ending, None, NOWHERE).cli == folder / "STM32_Programmer_CLI"


@pytest.mark.parametrize(
    "given", ["MX25LM51245G_STM32L4R9I-EVAL", "MX25LM51245G_STM32L4R9I-EVAL.stldr", "mx25lm51245g_stm32l4r9i-eval"]
)
def test_a_loader_by_name(folder: Path, given: str) -> None:
    """A loader's name is searched beside the programmer, ignoring case as on Windows."""
    found = find(str(folder), given, NOWHERE)
    assert found.loader == folder / "ExternalLoader" / "MX25LM51245G_STM32L4R9I-EVAL.stldr"


def test_a_loader_as_a_folder(folder: Path, tmp_path: Path) -> None:
    """ST's script treats the option as the folder of the default driver."""
    other = installed(tmp_path / "other") / "ExternalLoader"
    assert find(str(folder), str(other), NOWHERE).loader == other / f"{DEFAULT_LOADER}.stldr"


def test_a_loader_as_a_file(folder: Path, tmp_path: Path) -> None:
    """A loader's file may be anywhere."""
    file = tmp_path / "mine.stldr"
    file.write_bytes(b"loader")
    assert find(str(folder), str(file), NOWHERE).loader == file


def test_usual_places_are_searched(tmp_path: Path) -> None:
    """The output names the programmer that was found."""
    folder = installed(tmp_path / "STMicroelectronics" / "STM32Cube" / "STM32CubeProgrammer" / "bin")
    found = find(None, None, {"PATH": "", "HOME": str(tmp_path)}, "linux")
    assert found.cli == folder / "STM32_Programmer_CLI"
    assert found.said[0] == f"programmer: {found.cli} (at a usual place)"


def test_the_newest_bundle_is_taken(tmp_path: Path) -> None:
    """Version 2.20 is newer than 2.9."""
    bundles = tmp_path / ".local" / "share" / "stm32cube" / "bundles" / "programmer"
    for version in ("2.9.0", "2.20.0+st.1", "2.19.0"):
        installed(bundles / version / "bin")
    found = find(None, None, {"PATH": "", "HOME": str(tmp_path)}, "linux")
    assert found.cli == bundles / "2.20.0+st.1" / "bin" / "STM32_Programmer_CLI"


def test_windows_has_its_own_places(tmp_path: Path) -> None:
    """ST's default folder comes from the environment."""
    folder = installed(tmp_path / "STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin", "STM32_Programmer_CLI.exe")
    assert find(None, None, {"ProgramFiles": str(tmp_path)}, "win32").cli == folder / "STM32_Programmer_CLI.exe"


def test_path_comes_first(folder: Path) -> None:
    """A programmer on PATH is there on purpose."""
    assert find(None, None, {"PATH": str(folder)}).said[0].endswith("(on PATH)")


def test_what_was_searched_in_vain_is_listed() -> None:
    """The message lists every searched place."""
    with pytest.raises(InstallationMissing) as caught:
        find(None, None, NOWHERE, "linux")
    assert "give --programmerPath" in str(caught.value)
    assert "/opt/st/STM32CubeProgrammer/bin" in str(caught.value)


def test_a_wrong_path_is_named(tmp_path: Path) -> None:
    """A missing path and a folder without the programmer have different messages."""
    with pytest.raises(InstallationMissing, match="is a folder without it"):
        find(str(tmp_path), None, NOWHERE)
    with pytest.raises(InstallationMissing, match=r"C:/ST/bin is not there"):
        find(r"C:\ST\bin", None, NOWHERE)


def test_a_loader_that_is_not_there_is_refused(folder: Path) -> None:
    """Without its loader the programmer writes nothing and reports success."""
    with pytest.raises(InstallationMissing, match="there are MX25LM51245G_STM32L4R9I-EVAL, S25FL128S_STM32WB5MM-DK"):
        find(str(folder), "S25FL512S", NOWHERE)
    with pytest.raises(InstallationMissing, match="neither a file nor a folder"):
        find(str(folder), r"C:\loaders\S25FL512S.stldr", NOWHERE)
