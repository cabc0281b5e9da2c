// SPDX-License-Identifier: Apache-2.0
// Scans of labels. Their texts hold the passcode: they are sent in no address, and kept until the answer, or until the label sticks.

import { post } from "./pad.js";

const STICKS_WITHIN = 45_000;

/** Whether a scanned text is a label's; a keyboard of another language writes another character than the colon. */
export const isLabel = (text) => /^MT[^\w\s]/i.test(text);

export class Labels {
  token = null; // for the shift; of whoever scans here
  text = null; // of the label that somebody is about to stick

  /** `stick(uid)` gets the unit whose label somebody is about to stick, or null. */
  constructor(stick) {
    this.stick = stick;
  }

  /** Compares a label with the board in a slot, or asks where its board is. Gives what the station says, or null if it wants a PIN first. */
  async scan(text, slot) {
    this.end();
    if (!this.token) return null;
    try {
      const answer = await post("/api/v1/labels/scan", { text, slot }, this.token);
      if ([401, 403].includes(answer.status)) this.token = null;
      if (answer.status === 401) return null;
      const told = await answer.json();
      if (told.slot && told.bound === false) this.begin(text, told.uid);
      return told;
    } catch {
      return { reason: "lost" };
    }
  }

  begin(text, uid) {
    this.text = text;
    this.timer = setTimeout(() => this.end(), STICKS_WITHIN);
    this.stick(uid);
  }

  end() {
    clearTimeout(this.timer);
    if (this.text) this.stick(null);
    this.text = null;
  }
}
