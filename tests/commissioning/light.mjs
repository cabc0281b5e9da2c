// SPDX-License-Identifier: Apache-2.0
// A virtual Matter light. Each line of JSON on standard input has the data of a board's flash, from which the light is made; it prints
// {"up": true} when commissioners can find it. A line of null removes the light: {"up": false}. Ends when standard input closes.

import { Crypto, Environment, Logger, ServerNode, VendorId } from "@matter/main";
import { OperationalCredentialsServer } from "@matter/main/behaviors/operational-credentials";
import { OnOffLightDevice } from "@matter/main/devices/on-off-light";
import { DeviceCertification, PaseServer } from "@matter/protocol";
import { bytes, requests, say, temporaryStorage } from "./lines.mjs";

// matter.js refuses to be a light whose DAC names another vendor or product than the light, as that of a white-label product does. A real
// light shows what is in its flash, and the commissioner judges it.
class ShownAsItIs extends OperationalCredentialsServer {
    async getCertification() {
        this.internal.certification ??= new DeviceCertification(this.env.get(Crypto), this.state.certification);
        await this.internal.certification.construction;
        return this.internal.certification;
    }
}

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
    const created = await ServerNode.create(ServerNode.RootEndpoint.with(ShownAsItIs), {
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
