// SPDX-License-Identifier: Apache-2.0
// Shared by light and controller: one JSON value per line on standard input and output, and storage that ends with the network.

import { mkdtempSync } from "node:fs";
import { createInterface } from "node:readline";

/** The values on standard input, until it closes. */
export async function* requests() {
    for await (const line of createInterface({ input: process.stdin })) {
        yield JSON.parse(line);
    }
}

export function say(value) {
    process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function bytes(hex) {
    return Uint8Array.from(Buffer.from(hex, "hex"));
}

export function hex(value) {
    return Buffer.from(value).toString("hex");
}

/** A new folder; private_network.sh keeps /data in memory. */
export function temporaryStorage() {
    return mkdtempSync("/data/matterjs-");
}
