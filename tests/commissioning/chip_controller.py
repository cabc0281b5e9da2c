# SPDX-License-Identifier: Apache-2.0
"""The CHIP SDK's own controller as commissioner: `chip_controller.py PAA-FOLDER LOG`, run by its own venv. Answers JSON lines like its peer."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

# Its native part writes to descriptor 1, which leads to the log: only there is the verdict of attestation.
paa_folder, log = sys.argv[1], Path(sys.argv[2])
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), 1)

import chip.native  # noqa: E402  # it may write as it is loaded

chip.native.Init()

import chip.clusters  # noqa: E402  # only after Init
from chip.CertificateAuthority import CertificateAuthorityManager  # noqa: E402
from chip.ChipDeviceCtrl import ChipDeviceController  # noqa: E402
from chip.ChipStack import ChipStack  # noqa: E402
from chip.discovery import DiscoveryType  # noqa: E402
from chip.exceptions import ChipStackException  # noqa: E402

WHY = re.compile(
    r"received from the device: (err \d+ \([^)]*\))"  # the verdict of attestation
    r"|(Failed to verify peer's MAC|Discovered device discriminator \(\d+\) does not match our discriminator)"
)
BASIC = chip.clusters.BasicInformation
CERTIFICATES = chip.clusters.OperationalCredentials
KINDS = CERTIFICATES.Enums.CertificateChainTypeEnum


async def identity(controller: ChipDeviceController, node: int) -> dict[str, object]:
    """The unit's Basic Information, after it has joined the fabric."""
    told = (await controller.ReadAttribute(node, [(0, BASIC)]))[0][BASIC]
    request = CERTIFICATES.Commands.CertificateChainRequest
    chain = [
        await controller.SendCommand(node, 0, request(kind)) for kind in (KINDS.kDACCertificate, KINDS.kPAICertificate)
    ]
    return {
        "vendor_id": told[BASIC.Attributes.VendorID],
        "vendor_name": told[BASIC.Attributes.VendorName],
        "product_id": told[BASIC.Attributes.ProductID],
        "product_name": told[BASIC.Attributes.ProductName],
        "serial_number": told[BASIC.Attributes.SerialNumber],
        "hardware_version": told[BASIC.Attributes.HardwareVersion],
        "hardware_version_string": told[BASIC.Attributes.HardwareVersionString],
        "manufacturing_date": told[BASIC.Attributes.ManufacturingDate],
        "dac": chain[0].certificate.hex(),
        "pai": chain[1].certificate.hex(),
    }


async def commission(controller: ChipDeviceController, node: int, code: str) -> dict[str, object]:
    """Finds the light by all values of its code, and commissions it into the controller's fabric."""
    before = log.stat().st_size
    try:
        # With retries, CHIP would try a wrong passcode for half a minute.
        await controller.CommissionWithCode(code, node, DiscoveryType.DISCOVERY_NETWORK_ONLY_WITHOUT_PASE_AUTO_RETRY)
        return {"commissioned": True, "identity": await identity(controller, node)}
    except ChipStackException as exc:
        why = WHY.search(log.read_bytes()[before:].decode(errors="replace"))
        return {"commissioned": False, "reason": (why[1] or why[2]) if why else str(exc)}


def main() -> None:
    stack = ChipStack(persistentStoragePath="/data/controller.json", enableServerInteractions=False)
    # Each of these shuts down its objects when its last reference is gone.
    authorities = CertificateAuthorityManager(stack, stack.GetStorageManager())
    authority = authorities.NewCertificateAuthority()
    fabric = authority.NewFabricAdmin(vendorId=0xFFF1, fabricId=1)
    controller = fabric.NewController(nodeId=1, paaTrustStorePath=paa_folder)
    answers.write(json.dumps({"up": True}) + "\n")
    for node, line in enumerate(sys.stdin, start=100):
        answers.write(json.dumps(asyncio.run(commission(controller, node, json.loads(line)["qr"]))) + "\n")


status = 1
try:
    main()
    status = 0
finally:
    os._exit(status)  # its native threads never end by themselves
