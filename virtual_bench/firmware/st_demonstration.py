"""ST's demonstration firmware: it has DAC, PAI and key compiled in, provisions itself at boot, and says so for ever.

The certificates are the public development ones of the connectedhomeip project (VID FFF1, PID 8004).
"""

import asyncio
import base64

from virtual_bench import factory_data
from virtual_bench.factory_data import DoesNotFit, Unreadable
from virtual_bench.firmware.hardware import Hardware
from virtual_bench.firmware.questions import Status
from virtual_bench.secure_storage import SecureStorageOccupied

SAID_EVERY = 3.0
MESSAGE = 16  # bytes; behind text and NUL stands what the buffer held

DAC = base64.b64decode(
    "MIIB6TCCAY6gAwIBAgIIHgZ/O/7N2BMwCgYIKoZIzj0EAwIwPTElMCMGA1UEAwwcTWF0dGVyIERldiBQQUkgMHhGRkYxIG5vIFBJRDEU"
    "MBIGCisGAQQBgqJ8AgEMBEZGRjEwIBcNMjIwMjA1MDAwMDAwWhgPOTk5OTEyMzEyMzU5NTlaMFMxJTAjBgNVBAMMHE1hdHRlciBEZXYg"
    "REFDIDB4RkZGMS8weDgwMDQxFDASBgorBgEEAYKifAIBDARGRkYxMRQwEgYKKwYBBAGConwCAgwEODAwNDBZMBMGByqGSM49AgEGCCqG"
    "SM49AwEHA0IABFBBOO8xyd0WDrRsbBcRT51yiECAH3O7m1osUZHJsgZjAZ2UdtGTG5P/R/QyVjeQNdIpYgt+IQ5ZLyZDfS1XYgWjYDBe"
    "MAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMB0GA1UdDgQWBBSgpxwqX3RFIFsSpijKtxZFui1ecjAfBgNVHSMEGDAWgBRjVA5H"
    "9kscONE4hKRi0WwZXY/7PDAKBggqhkjOPQQDAgNJADBGAiEA53nri7vYuiho03v8Og4zhwPb5FxUCYyK5KOETvXIK1sCIQCQ52srg3OS"
    "qylAORBA9k3HjFMBrJ0IZk/20BBK/pj8gA=="
)
PAI = base64.b64decode(
    "MIIByzCCAXGgAwIBAgIIVq2CIq2UW2QwCgYIKoZIzj0EAwIwMDEYMBYGA1UEAwwPTWF0dGVyIFRlc3QgUEFBMRQwEgYKKwYBBAGConwC"
    "AQwERkZGMTAgFw0yMjAyMDUwMDAwMDBaGA85OTk5MTIzMTIzNTk1OVowPTElMCMGA1UEAwwcTWF0dGVyIERldiBQQUkgMHhGRkYxIG5v"
    "IFBJRDEUMBIGCisGAQQBgqJ8AgEMBEZGRjEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARBmpMVwhc+DIyHbQPM/JRIUmR/f+xeUIL0"
    "BZko7KiUxZQVEwmsYx5MsDOSr2hLC6+35ls7gWLC9Sv5MbjneqqCo2YwZDASBgNVHRMBAf8ECDAGAQH/AgEAMA4GA1UdDwEB/wQEAwIB"
    "BjAdBgNVHQ4EFgQUY1QOR/ZLHDjROISkYtFsGV2P+zwwHwYDVR0jBBgwFoAUav0idx9RH+y/FkGXZxDc3DGhcX4wCgYIKoZIzj0EAwID"
    "SAAwRQIhALLvJ/Sa6bUPuR7qyUxNC9u415KcbLiPrOUpNo0SBUwMAiBlXckrhr2QmIKmxiF3uCXX0F7b58Ivn+pxIg5+pwP4kQ=="
)
PRIVATE_KEY = bytes.fromhex("820a242a030ebce11f38735acf1a6f37c3ada6e432d2470a8a413743f89563f3")

PUBLIC_KEY = bytes.fromhex(
    "04504138ef31c9dd160eb46c6c17114f9d728840801f73bb9b5a2c5191c9b20663"
    "019d9476d1931b93ff47f43256379035d229620b7e210e592f26437d2d576205"
)


async def run(hardware: Hardware, *, secure: bool) -> None:
    """Provisions the board once, then repeats how that ended, without an end of line."""
    status = await _provision(hardware, secure=secure)
    message = b"finish:%03d\0" % status
    while True:
        hardware.uart.send(message + b"\x20\x00\x04\x20\xff"[: MESSAGE - len(message)])
        await asyncio.sleep(hardware.clock.period(SAID_EVERY))


async def _provision(hardware: Hardware, *, secure: bool) -> Status:
    flash = hardware.external
    block = flash.read(factory_data.ADDRESS, factory_data.BLOCK)
    try:
        if factory_data.DAC in factory_data.records(block):
            return Status.NO_FACTORY_DATA  # its own end mark is not the one that it looks for
        added = {factory_data.DAC: DAC, factory_data.PAI: PAI, factory_data.PUBLIC_KEY: PUBLIC_KEY}
        if not secure:
            added[factory_data.PRIVATE_KEY] = PRIVATE_KEY
        whole = factory_data.appended(block, added)
    except Unreadable as exc:
        return Status(exc.status)
    except DoesNotFit:
        return Status.TOO_SMALL
    flash.erase(factory_data.ADDRESS, factory_data.BLOCK)
    await hardware.clock.sleep(hardware.profile.external_erase(1))
    flash.program(factory_data.ADDRESS, whole)
    await hardware.clock.sleep(hardware.profile.block_program(factory_data.BLOCK))
    if secure:
        try:
            hardware.secure_storage.write(PRIVATE_KEY)
        except SecureStorageOccupied:
            return Status.SECURE_STORAGE
    return Status.OK
