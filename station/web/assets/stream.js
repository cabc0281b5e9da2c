// SPDX-License-Identifier: Apache-2.0
// The line's events. They are believed only while beats come, and the page itself opens the stream again: a browser gives up on some errors.

const EVENTS = ["snapshot", "slot", "line", "lot", "last", "plans", "mes", "shared", "beat", "bye"];
const SILENT_AFTER = 3000;
const AGAIN_AFTER = [500, 1000, 2000, 4000];

export class Stream {
  /** `told(event, data)` gets every event but beats; `beat()` every beat; `lost()` is called when the line is heard no longer. */
  constructor(address, { told, beat, lost }) {
    Object.assign(this, { address, told, beat, lost });
    this.known = "";
    this.tries = 0;
  }

  open() {
    this.close();
    const query = this.known ? `?after=${encodeURIComponent(this.known)}` : "";
    const source = this.source = new EventSource(this.address + query);
    source.onerror = () => this.source === source && this.again();
    for (const name of EVENTS) source.addEventListener(name, (event) => this.source === source && this.hear(name, event));
    this.watch();
  }

  hear(name, event) {
    if (name === "bye") return this.again();
    try {
      if (name === "beat") this.beat();
      else this.told(name, JSON.parse(event.data));
    } catch (error) {
      return this.doubt(error);
    }
    if (event.lastEventId) this.known = event.lastEventId; // once the page has taken it
    if (name !== "beat") return;
    this.tries = 0;
    this.watch(); // only a beat says that the slots were looked at
  }

  /** Something could not be taken or drawn, and beats would vouch for what was there before: the page begins anew, from the whole board. */
  doubt(error) {
    console.error(error);
    this.known = "";
    this.again();
  }

  watch() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.again(), SILENT_AFTER);
  }

  again() {
    this.close();
    this.timer = setTimeout(() => this.open(), AGAIN_AFTER[Math.min(this.tries, AGAIN_AFTER.length - 1)]);
    this.tries += 1;
    this.lost(); // last, since it draws: whatever becomes of that, the stream is opened again
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
