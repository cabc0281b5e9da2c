// SPDX-License-Identifier: Apache-2.0
// A pad for a PIN. The PIN buys a token for one act, or one for scans of labels; nothing stores them.

import { make } from "./tile.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "⌫", "0", "✓"];
const LONGEST = 64;

export class Pad {
  /** `act(token, reason)` gives the station's answer, or nothing where a token for the shift is all; `done()` is called after that. */
  constructor(texts, reasons, act, done) {
    Object.assign(this, { texts, shift: !reasons, act, done, typed: "", reason: "", busy: false, until: 0, told: "" });
    this.shown = make("output", "pin");
    this.shown.tabIndex = -1;
    this.shown.setAttribute("aria-label", texts.pin);
    this.refused = make("p", "refused");
    this.refused.setAttribute("role", "alert");
    const left = make("div", "asked");
    left.append(make("p", "sentence", texts.pin), this.shown, this.refused);
    if (reasons) left.append(make("p", "", texts.why), this.reasons(reasons));
    const keys = make("div", "keys");
    keys.append(...KEYS.map((key) => this.button(key, () => this.press(key))));
    this.enter = keys.lastChild;
    this.element = make("div", "pad");
    this.element.append(left, keys);
    keys.children[9].setAttribute("aria-label", texts.erase);
    this.enter.setAttribute("aria-label", texts.enter);
    this.show();
  }

  button(text, pressed) {
    const button = make("button", "", text);
    button.type = "button";
    button.addEventListener("click", pressed);
    return button;
  }

  reasons(names) {
    const row = make("div", "reasons");
    for (const name of names) {
      const button = this.button(this.texts.reason[name], () => {
        this.reason = this.reason === name ? "" : name;
        for (const each of row.children) each.setAttribute("aria-pressed", String(each === button && this.reason !== ""));
      });
      button.setAttribute("aria-pressed", "false");
      row.append(button);
    }
    return row;
  }

  /** A key of the pad or of a keyboard. */
  press(key) {
    if (this.busy) return;
    if (key === "✓") return void this.go();
    if (key === "⌫") this.typed = this.typed.slice(0, -1);
    else if (this.typed.length < LONGEST) this.typed += key;
    this.show();
  }

  clear() {
    this.typed = "";
    this.show();
  }

  /** Twice a second: counts down the seconds for which the station wants no further PIN. */
  show() {
    const left = Math.ceil((this.until - performance.now()) / 1000);
    const { again } = this.texts;
    const told = left > 0 ? `${this.told} ${again.replace("#", left)}` : this.told;
    if (this.refused.textContent !== told) this.refused.textContent = told;
    this.shown.textContent = "●".repeat(this.typed.length);
    this.enter.disabled = this.busy || left > 0 || this.typed === "";
  }

  async go() {
    if (this.enter.disabled) return;
    const pin = this.typed;
    Object.assign(this, { typed: "", busy: true, told: "" });
    this.show();
    const told = await this.refusal(pin);
    Object.assign(this, { busy: false, told: told ?? "" });
    this.show();
    if (told === null) this.done();
  }

  /** Does the act; gives the reason why it is refused, or null. */
  async refusal(pin) {
    try {
      const session = await post("/api/v1/sessions", { pin, shift: this.shift });
      if (!session.ok) return this.wrong(session);
      const { token } = await session.json();
      const answer = await this.act(token, this.reason);
      if (!answer || answer.ok) return null;
      return answer.status === 403 ? this.texts.role : (await answer.json()).detail;
    } catch {
      return this.texts.note.lost;
    }
  }

  async wrong(answer) {
    this.until = performance.now() + 1000 * Number(answer.headers.get("Retry-After") ?? 0);
    if (answer.status === 403) return this.texts.wrong;
    return answer.status === 429 ? this.texts.soon : (await answer.json()).detail;
  }
}

export function post(path, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
}
