// SPDX-License-Identifier: Apache-2.0
// A virtual Matter light. Each line of JSON on standard input has the data of a board's flash, from which the light is made; it prints
// {"up": true} when commissioners can find it. A line of null removes the light: {"up": false}. Ends when standard input closes.

import { Environment, Logger, ServerNode, VendorId } from "@matter/main";
import { OnOffLightDevice } from "@matter/main/devices/on-off-light";
import { PaseServer } from "@matter/protocol";
import { bytes, requests, say, temporaryStorage } from "./lines.mjs";

const NEVER_USED = 99999998; // matter.js requires a passcode; like a real light, this one uses only the verifier

Logger.level = "info";
Logger.destinations.default.write = text => process.stderr.write(`${text}\n`);
let node;
for await (const flash of requests()) {
    if (flash === null) {
        await node.close(); // with an mDNS goodbye, so that no commissioner finds this light any more
    } else {
        node = await light(flash);
        await node.start();
    }
    say({ up: flash !== null });
}
process.exit(0);

async function light(flash) {
    Environment.default.vars.set("storage.path", temporaryStorage()); // otherwise a light would still have an earlier one's fabrics
    PaseServer.fromPin = async sessions =>
        PaseServer.fromVerificationValue(sessions, bytes(flash.verifier), {
            iterations: flash.iterations,
            salt: bytes(flash.salt),
        });
    const created = await ServerNode.create({
        id: `light-${process.hrtime.bigint()}`,
        network: { port: 5540, ble: false },
        commissioning: { passcode: NEVER_USED, discriminator: flash.discriminator },
        productDescription: { name: flash.product_name, deviceType: OnOffLightDevice.deviceType },
        basicInformation: {
            vendorId: VendorId(flash.vendor_id),
            vendorName: flash.vendor_name,
            productId: flash.product_id,
            productName: flash.product_name,
            productLabel: flash.product_name,
            serialNumber: flash.serial_number,
            uniqueId: flash.serial_number,
            hardwareVersion: flash.hardware_version,
            hardwareVersionString: flash.hardware_version_string,
            manufacturingDate: flash.manufacturing_date,
        },
        operationalCredentials: {
            certification: {
                privateKey: bytes(flash.dac_private_key),
                certificate: bytes(flash.dac),
                intermediateCertificate: bytes(flash.pai),
                declaration: bytes(flash.certification_declaration),
            },
        },
    });
    await created.add(OnOffLightDevice, { id: "lamp" });
    return created;
}
