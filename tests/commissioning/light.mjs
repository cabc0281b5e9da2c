// A virtual Matter light. All that it is comes from one line of JSON on standard input: what stands in a board's flash.
// It says {"up": true} on standard output when it can be found, and ends when standard input closes.

import { Environment, Logger, ServerNode, VendorId } from "@matter/main";
import { OnOffLightDevice } from "@matter/main/devices/on-off-light";
import { PaseServer } from "@matter/protocol";
import { bytes, requests, say, temporaryStorage } from "./lines.mjs";

const NEVER_USED = 99999998; // matter.js wants a passcode; the light proves itself with the verifier alone, as a real one does

Logger.level = "info";
Logger.destinations.default.write = text => process.stderr.write(`${text}\n`);
const lines = requests();
const flash = (await lines.next()).value;

PaseServer.fromPin = async sessions =>
    PaseServer.fromVerificationValue(sessions, bytes(flash.verifier), {
        iterations: flash.iterations,
        salt: bytes(flash.salt),
    });

Environment.default.vars.set("storage.path", temporaryStorage());
const node = await ServerNode.create({
    id: "light",
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
await node.add(OnOffLightDevice, { id: "lamp" });
await node.start();
say({ up: true });

await lines.next();
await node.close(); // says goodbye, so that no commissioner looks for this light any more
process.exit(0);
