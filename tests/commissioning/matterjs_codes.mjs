// SPDX-License-Identifier: Apache-2.0
// What matter.js reads in QR codes: a code a line on standard input; on standard output for each, after `code: `, its values as JSON, or null.
import { readFileSync } from "node:fs";
import { QrPairingCodeCodec } from "@matter/types";

function read(code) {
    try {
        const [{ vendorId, productId, discriminator, passcode }] = QrPairingCodeCodec.decode(code);
        return { vendor_id: vendorId, product_id: productId, discriminator, passcode };
    } catch {
        return null;
    }
}

const codes = readFileSync(0, "utf8").split("\n").filter(Boolean);
process.stdout.write(codes.map((code) => `code: ${JSON.stringify(read(code))}\n`).join(""));
