# SPDX-License-Identifier: Apache-2.0
"""The `[mes]` section of the line's configuration: whom the station tells its verdicts, and whom it asks before a board."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from station.config import path_mistakes
from station.config.file_path import FilePath
from station.config.sentences import shown
from station.config.table import Table

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

WEBHOOK, MQTT = "webhook", "mqtt"
PORTS = {"mqtt": 1883, "mqtts": 8883}


def _address(*schemes: str) -> AfterValidator:
    def check(url: str) -> str:
        if mistake := path_mistakes.mistake_in_address(url):
            raise ValueError(
                mistake.replace("https://pki.factory.net/.well-known/est", f"{schemes[-1]}://mes.factory.net")
            )
        parts = urlsplit(url)
        if parts.scheme not in schemes:
            raise ValueError(f"found {shown(url)}, expected an address that begins with {' or '.join(schemes)}")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a user and a password in an address would be shown in logs: secrets come from files")
        return url

    return AfterValidator(check)


HTTPAddress = Annotated[str, _address("http", "https")]
MQTTAddress = Annotated[str, _address("mqtt", "mqtts")]


class MESSection(Table):
    """The manufacturing execution system: what it is told, and what it is asked. docs/mes.md tells how to receive."""

    format: Literal["cloudevents", "cfx"] = "cloudevents"
    """`cloudevents` in JSON, or IPC-CFX envelopes for a gateway to AMQP."""
    webhook: HTTPAddress | None = None
    """Each verdict is posted there."""
    secret_file: FilePath | None = None
    """File with the webhook's secret, `whsec_` and base64, of 24 bytes or more; with two lines during a change of the secret."""
    answer_within: Seconds = 10
    """Seconds for the webhook's answer."""
    mqtt: MQTTAddress | None = None
    """Broker of MQTT 5, `mqtts://HOST:PORT`, which gets each verdict, and the state of line and slots; needs the extra `mqtt`."""
    mqtt_user: str | None = Field(default=None, min_length=1, max_length=256)
    """User at the broker."""
    mqtt_password_file: FilePath | None = None
    """File with that user's password, one line."""
    route: HTTPAddress | None = None
    """Is asked for each board before anything is reserved or erased: whether the board belongs here now."""
    route_within: Seconds = 2
    """Seconds for the answer to that question."""
    when_down: Literal["go_on", "wait"] = "go_on"
    """Without an answer the board goes on, journalled as unchecked, or the line waits for the MES."""
    ca: FilePath | None = None
    """Who may be the servers of the MES; by default whom this computer trusts."""
    certificate: FilePath | None = None
    """This station's certificate in PEM, where the MES wants one."""
    key: FilePath | None = None
    """The key of that certificate."""
    stop_line_at: int = Field(default=0, ge=0)
    """Messages that may wait before the line stops for the MES; 0 means that it never does."""
    keep_days: int = Field(default=30, ge=1)
    """Days for which delivered messages stay in the outbox."""

    @model_validator(mode="after")
    def _settings_belong_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together, and one of them is missing")
        if (self.webhook is None) != (self.secret_file is None):
            raise ValueError("webhook and secret_file belong together: the receiver knows by the secret who has posted")
        if (self.mqtt_user is None) != (self.mqtt_password_file is None):
            raise ValueError("mqtt_user and mqtt_password_file belong together, and one of them is missing")
        if self.mqtt_user is not None and self.mqtt is None:
            raise ValueError("mqtt_user belongs to a broker, and mqtt names none")
        return self

    @property
    def sinks(self) -> tuple[str, ...]:
        """The receivers' names in the outbox."""
        named = {WEBHOOK: self.webhook, MQTT: self.mqtt}
        return tuple(name for name, address in named.items() if address is not None)

    @property
    def broker(self) -> tuple[str, int, bool] | None:
        """The broker's host and port, and whether TLS is spoken."""
        if self.mqtt is None:
            return None
        parts = urlsplit(self.mqtt)
        return parts.hostname or "", parts.port or PORTS[parts.scheme], parts.scheme == "mqtts"
