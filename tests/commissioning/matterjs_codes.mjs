// SPDX-License-Identifier: Apache-2.0
// Which QR codes matter.js reads: a code a line on standard input; `true` or `false` on standard output for each.
import { readFileSync } from "node:fs";
import { QrPairingCodeCodec } from "@matter/types";

function reads(code) {
    try {
        QrPairingCodeCodec.decode(code);
        return true;
    } catch {
        return false;
    }
}

const codes = readFileSync(0, "utf8").split("\n").filter(Boolean);
process.stdout.write(codes.map((code) => `${reads(code)}\n`).join(""));
