// SPDX-License-Identifier: Apache-2.0
// A scanner types like a keyboard, faster than any hand, and ends with Enter. Pure but for one question to the ledger.

const WITHIN = 60; // milliseconds between two keys
const LEAST = 6;
const MOST = 256; // characters of a text that is looked up

export class Scanner {
  text = "";
  last = -Infinity;

  /** Gets every key with its moment. Gives the scanned text with its Enter; else null. */
  key(key, at) {
    const text = at - this.last <= WITHIN ? this.text : "";
    this.last = at;
    this.text = key.length === 1 ? text + key : key === "Shift" ? text : ""; // Shift comes before a capital letter
    return key === "Enter" && text.length >= LEAST ? text : null;
  }
}

/** Looks up a unit by UID or serial number. Gives its `uid`, or the name of the reason why there is none. */
export async function unitOf(text) {
  if (text.length > MOST) return { reason: "unknown" };
  try {
    const answer = await fetch(`/api/v1/units/${encodeURIComponent(text.trim())}`);
    if (answer.status === 404) return { reason: "unknown" };
    return answer.ok ? { uid: (await answer.json()).uid } : { reason: "lost" };
  } catch {
    return { reason: "lost" };
  }
}
