# SPDX-License-Identifier: Apache-2.0
"""A webhook's signature, against the example that the specification of Standard Webhooks publishes with its libraries."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from station.adapters.outbox import secret_file, signature
from station.adapters.outbox.secret_file import SecretUnusable

# From the test vectors of the specification's reference libraries (github.com/standard-webhooks/standard-webhooks).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT = "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "secret"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_the_published_example_is_signed_alike(tmp_path: Path) -> None:
    keys = secret_file.signing_keys(written(tmp_path, SECRET))
    assert signature.headers(ID, BODY, AT, keys) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNED,
    }


def test_two_secrets_make_two_signatures(tmp_path: Path) -> None:
    other = base64.b64encode(bytes(24)).decode()
    keys = secret_file.signing_keys(written(tmp_path, f"{other}\n{SECRET}\n"))
    assert signature.headers(ID, BODY, AT, keys)["webhook-signature"].split(" ")[1] == SIGNED


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("line 1/7", "line 1/7"),
        ("Linie Süd/7", "Linie S%C3%BCd/7"),
        ("a\r\nb: c/7", "a%0D%0Ab: c/7"),
        ("线/7", "%E7%BA%BF/7"),
    ],
)
def test_an_id_is_a_header_whatever_the_stations_name(name: str, header: str) -> None:
    assert signature.webhook_id(name) == header


@pytest.mark.parametrize("text", ["", "\n\n", "whsec_", "whsec_????", "whsec_c2hvcnQ=", "päss"])
def test_what_is_no_secret_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(SecretUnusable) as raised:
        secret_file.signing_keys(written(tmp_path, text))
    assert not text.strip() or text not in str(raised.value).replace("whsec_ and base64", "")


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretUnusable, match="chmod 600"):
        secret_file.signing_keys(written(tmp_path, SECRET, 0o644))
