# SPDX-License-Identifier: Apache-2.0
"""`[pki] kind`: which settings each kind needs, which it may have, and what is said of the others."""

from pathlib import Path

import pytest

from station.config import line
from station.config.problems import ConfigurationInvalid
from station.config.sections import PKISection
from tests.config.test_config import GOOD

ANCHORS = 'pai = "pai.pem"\npaa = "paa.pem"\n'
SERVER = 'url = "https://pki.factory.net:8200"\nca = "ca.pem"\n'
IDENTITY = 'certificate = "station.pem"\nkey = "key.pem"\n'
EXEC = '[pki.exec]\ncommand = ["bin/enrol", "--profile", "dac"]\n'


def written(folder: Path, table: str) -> Path:
    before, _, rest = GOOD.partition("[pki]\n")
    after = "[" + rest.partition("\n[")[2]
    file = folder / "line.toml"
    file.write_text(f"{before}[pki]\n{table}\n{after}")
    return file


def loaded(folder: Path, table: str) -> PKISection:
    pki = line.load(written(folder, table), {}).pki
    assert pki is not None
    return pki


def mistakes(folder: Path, table: str) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as caught:
        line.load(written(folder, table), {})
    return [f"{problem.place}: {problem.text}" for problem in caught.value.problems]


def test_without_a_kind_it_is_est(tmp_path: Path) -> None:
    """As all configurations had it before there were kinds."""
    pki = loaded(tmp_path, SERVER + IDENTITY + ANCHORS)
    assert (pki.kind, pki.place) == ("est", "https://pki.factory.net:8200")


def test_a_program_needs_no_server(tmp_path: Path) -> None:
    """Its path starts at the folder of the file, and names the PKI."""
    pki = loaded(tmp_path, 'kind = "exec"\n' + ANCHORS + EXEC)
    assert pki.exec is not None
    assert pki.exec.command == (str(tmp_path / "bin" / "enrol"), "--profile", "dac")
    assert pki.place == f"exec:{tmp_path / 'bin' / 'enrol'}"


@pytest.mark.parametrize(
    "table", [SERVER + IDENTITY + ANCHORS, SERVER + ANCHORS + '[pki.openbao]\ntoken_file = "token"\n']
)
def test_openbao_needs_a_certificate_or_a_token(tmp_path: Path, table: str) -> None:
    """Either lets the station in."""
    assert loaded(tmp_path, f'kind = "openbao"\n{table}').kind == "openbao"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('kind = "est"\n' + ANCHORS, [f"pki.{name}: this setting is missing" for name in ("url", "ca", "certificate", "key")]),
        ('kind = "exec"\n' + ANCHORS, ["pki.exec: this setting is missing"]),
        (
            SERVER.replace("url", "urll") + IDENTITY + ANCHORS,
            ['pki.urll: there is no such setting in [pki]; did you mean "url"?'],
        ),
        ('kind = "openbao"\n' + ANCHORS, ["pki.url: this setting is missing", "pki.ca: this setting is missing"]),
        (
            'kind = "exec"\nkey = "key.pem"\nkeep_alive = 0\n' + ANCHORS + EXEC,
            [
                'pki.key: belongs to kind = "est" and "openbao", and the kind is "exec": delete it, or set kind in [pki]',
                'pki.keep_alive: belongs to kind = "est" and "openbao", and the kind is "exec": delete it, or set kind in [pki]',
            ],
        ),
        (
            SERVER + IDENTITY + ANCHORS + EXEC,
            ['pki.exec: belongs to kind = "exec", and the kind is "est": delete it, or set kind in [pki]'],
        ),
        (
            'kind = "openbao"\nrequest = "pem"\n' + SERVER + IDENTITY + ANCHORS,
            ['pki.request: belongs to kind = "est", and the kind is "openbao": delete it, or set kind in [pki]'],
        ),
        (
            'kind = "openbao"\n' + SERVER + ANCHORS,
            ["pki: OpenBao is logged in to by certificate and key, or by [pki.openbao] token_file: set either"],
        ),
        (
            'kind = "est"\n' + SERVER + ANCHORS + 'certificate = "station.pem"\n',
            ["pki.key: this setting is missing"],
        ),
        (
            'kind = "openbao"\n' + SERVER + ANCHORS + 'certificate = "station.pem"\n',
            ["pki: certificate and key belong together, and one of them is missing"],
        ),
        (
            'kind = "openbao"\nheader = "X-Vault-Token"\nheader_file = "token"\n' + SERVER + IDENTITY + ANCHORS,
            ["pki: header is X-Vault-Token, which [pki.openbao] token_file and namespace fill"],
        ),
        (
            'kind = "openbao"\n' + SERVER.replace(":8200", ":8200/v1") + IDENTITY + ANCHORS,
            [
                'pki.url: found "https://pki.factory.net:8200/v1", expected no path after the server: the station adds /v1',
            ],
        ),
        (
            'kind = "vault"\n' + SERVER + IDENTITY + ANCHORS,
            ['pki.kind: found "vault", expected "est", "openbao" or "exec"'],
        ),
        ('kind = "exec"\n' + ANCHORS + "[pki.exec]\ncommand = []\n", ["pki.exec.command: found an empty list, expected a program and its arguments"]),
        (
            'kind = "exec"\n' + ANCHORS + '[pki.exec]\ncommand = ["~/enrol"]\n',
            ['pki.exec.command: found "~/enrol", expected a path in full: the station replaces neither ~ nor variables'],
        ),
    ],
)  # fmt: skip
def test_a_setting_of_another_kind_is_a_mistake(tmp_path: Path, table: str, told: list[str]) -> None:
    """Each message names the setting, and how to mend it."""
    found = mistakes(tmp_path, table)
    assert len(found) == len(told), found
    for each, expected in zip(found, told, strict=True):
        assert each.startswith(expected), each
