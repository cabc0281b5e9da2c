# SPDX-License-Identifier: Apache-2.0
"""The secrets and certificates in `[mes]`, and the library for MQTT: not there, or not what they should be."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from station.adapters.outbox import secret_file
from station.adapters.outbox.secret_file import SecretUnusable
from station.config.mes import MESSection
from station.config.problems import Problem


def mistakes(file: Path, mes: MESSection) -> Iterator[Problem]:
    """What is wrong with the settings of `[mes]` on this machine."""
    if mes.mqtt is not None and find_spec("aiomqtt") is None:
        yield Problem(file, "mes.mqtt", "needs the extra mqtt: pip install 'matter-provisioning-station[mqtt]'")
    for place, path, read in (
        ("mes.secret_file", mes.secret_file, secret_file.signing_keys),
        ("mes.mqtt_password_file", mes.mqtt_password_file, secret_file.lines),
    ):
        if path is None:
            continue
        try:
            read(path)
        except SecretUnusable as exc:
            yield Problem(file, place, str(exc))
    try:
        secret_file.tls_context(mes.ca, mes.certificate, mes.key)
    except SecretUnusable as exc:
        yield Problem(file, "mes.certificate" if mes.certificate is not None else "mes.ca", str(exc))
