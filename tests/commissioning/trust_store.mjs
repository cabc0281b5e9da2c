// SPDX-License-Identifier: Apache-2.0
// Replaces matter.js's client of the CSA's ledger (DCL), which would ask the internet: trusts only the certificates of two folders.

import { Certificate, Paa } from "@matter/protocol";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { hex } from "./lines.mjs";

export class TrustStore {
    acceptsTestCertificates = true; // a test PAA counts only if it is in the folder
    #paas = new Map();
    #cdSigners = new Map();

    constructor(paaFolder, cdSignerFolder) {
        for (const der of certificates(paaFolder)) {
            this.#paas.set(hex(Paa.fromAsn1(der).cert.extensions.subjectKeyIdentifier), der);
        }
        for (const der of certificates(cdSignerFolder)) {
            const { extensions, ellipticCurvePublicKey } = Certificate.parseAsn1Certificate(
                der,
                Certificate.REQUIRED_EXTENSIONS,
            );
            this.#cdSigners.set(hex(extensions.subjectKeyIdentifier), ellipticCurvePublicKey);
        }
    }

    getCertificate(keyId) {
        return this.#paas.has(hex(keyId)) ? { isProduction: false } : undefined;
    }

    async getCertificateAsDer(keyId) {
        return this.#paas.get(hex(keyId));
    }

    async getOrFetchCdSigner(keyId) {
        const publicKey = this.#cdSigners.get(hex(keyId));
        return publicKey && { publicKey, isProduction: false };
    }

    async isRevoked() {
        return false; // the development PKI revokes nothing
    }
}

function certificates(folder) {
    return readdirSync(folder)
        .filter(name => name.endsWith(".der"))
        .map(name => Uint8Array.from(readFileSync(join(folder, name))));
}
