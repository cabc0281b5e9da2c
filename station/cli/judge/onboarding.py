# SPDX-License-Identifier: Apache-2.0
"""`station onboarding`: makes and reads the codes of a label.

The passcode comes from a file, never from the command line.
"""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from station.cli.judge import verdicts
from station.cli.judge.certificate import hexadecimal
from station.cli.judge.inputs import JSONOption, PasscodeOption, read_passcode, uint16, within
from station.faults.line import OnboardingCodeInvalid
from station.matter.onboarding import codes, commissioners
from station.matter.onboarding.codes import Capabilities, Flow, ManualCode, OnboardingPayload
from station.matter.onboarding.passcode import Discriminator

app = typer.Typer(help="Make and read the codes of a label.", no_args_is_help=True)


class FlowName(StrEnum):
    STANDARD = "standard"
    USER_INTENT = "user-intent"
    CUSTOM = "custom"

    @property
    def flow(self) -> Flow:
        return Flow[self.name]


def capabilities(text: str) -> Capabilities:
    """Reads names separated by commas, or a number."""
    try:
        if text[:1].isdigit():
            return Capabilities(within(text, 2 * Capabilities.THREAD))
        return Capabilities(sum({Capabilities[name.strip().upper().replace("-", "_")] for name in text.split(",")}))
    except (KeyError, ValueError) as exc:
        names = ", ".join(_names(~Capabilities(0)))
        raise typer.BadParameter(f"one of {names} is expected, or a number", param_hint="--capabilities") from exc


def vendor_data(numbers: list[str], texts: list[str]) -> dict[int, int | str]:
    """Reads the members of a vendor, each as TAG=VALUE."""
    members: dict[int, int | str] = {}
    for given, option in [
        *((each, "--vendor-number") for each in numbers),
        *((each, "--vendor-text") for each in texts),
    ]:
        try:
            tag, value = given.split("=", 1)
            members[int(tag, 0)] = int(value, 0) if option == "--vendor-number" else value
        except ValueError as exc:
            raise typer.BadParameter("a tag and a value are expected, such as 0x80=12", param_hint=option) from exc
    return members


@app.command()
def encode(
    passcode_file: PasscodeOption,
    vid: Annotated[int, typer.Option("--vid", parser=uint16, metavar="VID", help="Vendor, such as 0xFFF1.")],
    pid: Annotated[int, typer.Option("--pid", parser=uint16, metavar="PID", help="Product, such as 0x8000.")],
    discriminator: Annotated[int, typer.Option("--discriminator", parser=uint16, metavar="N", help="12 bits.")],
    flow: Annotated[
        FlowName, typer.Option("--flow", help="Action that the unit needs before commissioning.")
    ] = FlowName.STANDARD,
    discovery: Annotated[
        str, typer.Option("--capabilities", help="Such as ble or ble,on-network, or a number.")
    ] = "ble",
    serial: Annotated[
        str | None, typer.Option("--serial", help="Serial number in the QR code.", show_default=False)
    ] = None,
    numbers: Annotated[
        list[str] | None,
        typer.Option(
            "--vendor-number", metavar="TAG=N", help="A vendor's number in the QR code; tags are 0x80 to 0xFF."
        ),
    ] = None,
    texts: Annotated[
        list[str] | None, typer.Option("--vendor-text", metavar="TAG=TEXT", help="A vendor's text in the QR code.")
    ] = None,
    json_wanted: JSONOption = False,
) -> None:
    """Make QR code and manual pairing code. The output holds the passcode, as a label does."""
    found, vendors = capabilities(discovery), vendor_data(numbers or [], texts or [])
    passcode = read_passcode(passcode_file)
    try:
        payload = OnboardingPayload(vid, pid, Discriminator(discriminator), passcode, flow.flow, found, serial, vendors)
    except ValueError as exc:
        verdicts.conclude(OnboardingCodeInvalid(str(exc)), "", json_wanted=json_wanted)
        return
    made = {"qr_code": codes.qr_code(payload), "manual_code": codes.manual_code(payload)}
    codes.check_codes(payload, made["qr_code"], made["manual_code"])
    said, warnings = {"onboarding": made}, commissioners.unable(made["qr_code"])
    accepted = "both codes read back as the values given"
    verdicts.conclude(None, accepted, json_wanted=json_wanted, shown=said, warnings=warnings)


@app.command()
def decode(
    code: Annotated[str, typer.Argument(help="MT:…, or 11 or 21 digits; - reads it from standard input.")],
    json_wanted: JSONOption = False,
) -> None:
    """Read a QR code's text or a manual pairing code. The output holds the passcode, as the code does."""
    text = sys.stdin.readline().strip() if code == "-" else code
    warnings: tuple[str, ...] = ()
    try:
        if codes.is_meant_as_qr_code(text):
            payloads = [_payload(payload) for payload in codes.parse_qr_code(text)]
            warnings = commissioners.unable(text)
        else:
            payloads = [_manual(codes.parse_manual_code(text))]
    except OnboardingCodeInvalid as fault:
        verdicts.conclude(fault, "", json_wanted=json_wanted)
        return
    if len(payloads) == 1:
        said = {"onboarding": payloads[0]}
    else:
        said = {f"onboarding_{place}": payload for place, payload in enumerate(payloads, 1)}
    accepted = "a commissioner can read this code" if not warnings else "the code is valid, but see the warnings"
    verdicts.conclude(None, accepted, json_wanted=json_wanted, shown=said, warnings=warnings)


def _payload(payload: OnboardingPayload) -> dict[str, object]:
    return {
        "vendor_id": hexadecimal(payload.vendor_id),
        "product_id": hexadecimal(payload.product_id),
        "discriminator": payload.discriminator.value,
        "passcode": payload.passcode.digits,
        "flow": FlowName[payload.flow.name].value,
        "capabilities": _names(payload.capabilities),
        "serial_number": payload.serial_number,
        "vendor_data": {f"0x{tag:02X}": value for tag, value in payload.vendor_data.items()} or None,
    }


def _manual(code: ManualCode) -> dict[str, object]:
    return {
        "vendor_id": hexadecimal(code.vendor_id),
        "product_id": hexadecimal(code.product_id),
        "short_discriminator": code.short_discriminator,
        "passcode": code.passcode.digits,
    }


def _names(given: Capabilities) -> list[str]:
    return [each.name.lower().replace("_", "-") for each in Capabilities if each in given and each.name]
