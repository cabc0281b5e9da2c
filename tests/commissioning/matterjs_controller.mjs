// SPDX-License-Identifier: Apache-2.0
// matter.js as commissioner: `matterjs_controller.mjs PAA-FOLDER CD-SIGNER-FOLDER`, certificates as DER. Prints {"up": true}, then answers
// every {"qr", "patience"} on standard input with the commissioned light's data, or with the reason of its refusal.

import { Environment, Logger, Seconds, ServerNode } from "@matter/main";
import { BasicInformationClient } from "@matter/main/behaviors/basic-information";
import { OperationalCredentialsClient } from "@matter/main/behaviors/operational-credentials";
import { ControllerBehavior } from "@matter/main/node";
import { DclCertificateService } from "@matter/protocol";
import { QrPairingCodeCodec } from "@matter/types";
import { OperationalCredentials } from "@matter/types/clusters/operational-credentials";
import { hex, requests, say, temporaryStorage } from "./lines.mjs";
import { TrustStore } from "./trust_store.mjs";

Logger.level = "info";
Logger.destinations.default.write = text => process.stderr.write(`${text}\n`);
const [paaFolder, cdSignerFolder] = process.argv.slice(2);

Environment.default.vars.set("storage.path", temporaryStorage());
Environment.default.set(DclCertificateService, new TrustStore(paaFolder, cdSignerFolder));
const controller = await ServerNode.create(ServerNode.RootEndpoint.with(ControllerBehavior), {
    id: "controller",
    network: { port: 5550, ble: false },
    controller: { adminFabricLabel: "commissioning", ble: false },
});
await controller.start();
say({ up: true });

for await (const { qr, patience } of requests()) {
    say(await commission(qr, Seconds(patience)).then(identity => ({ commissioned: true, identity }), refusal));
}
process.exit(0);

/** Finds the light by all values of its code, and commissions it into the controller's fabric. */
async function commission(qr, timeout) {
    const [{ passcode, discriminator, vendorId, productId }] = QrPairingCodeCodec.decode(qr);
    const peer = await controller.peers.commission({
        passcode,
        discriminator,
        timeout,
        onAttestationFailure, // without it every finding is accepted
        autoSubscribe: false,
    });
    try {
        const identity = peer.stateOf(BasicInformationClient);
        if (identity.vendorId !== vendorId || identity.productId !== productId) {
            throw new Error("the light is of another product than its code");
        }
        return {
            vendor_id: identity.vendorId,
            vendor_name: identity.vendorName,
            product_id: identity.productId,
            product_name: identity.productName,
            serial_number: identity.serialNumber,
            hardware_version: identity.hardwareVersion,
            hardware_version_string: identity.hardwareVersionString,
            manufacturing_date: identity.manufacturingDate,
            dac: await certificate(peer, OperationalCredentials.CertificateChainType.DacCertificate),
            pai: await certificate(peer, OperationalCredentials.CertificateChainType.PaiCertificate),
        };
    } finally {
        await peer.delete();
    }
}

async function certificate(peer, certificateType) {
    const answer = await peer.commandsOf(OperationalCredentialsClient).certificateChainRequest({ certificateType });
    return hex(answer.certificate);
}

/** Accepts findings that are only information, such as a declaration of the type "test". */
function onAttestationFailure(found) {
    return found.every(({ level }) => level === "info");
}

/** The failed check, if it was one of attestation, and the messages of the innermost errors. */
function refusal(error) {
    const causes = [];
    for (const pending = [error]; pending.length; ) {
        const cause = pending.shift();
        causes.push(cause);
        pending.push(...(cause.errors ?? []), ...(cause.cause ? [cause.cause] : []));
    }
    const check = causes.find(cause => cause.failure)?.failure;
    return { commissioned: false, reason: check ?? causes.map(cause => cause.message).join("; ") };
}
