// SPDX-License-Identifier: Apache-2.0
// One slot near by: what is wrong, who acts, and what a person with a PIN may do about it. The line's release and a scanned unit have a sheet, too.

import { doer, evidence, face, stages } from "./board.js";
import { Pad, post } from "./pad.js";
import { make, shape } from "./tile.js";

const CLOSES_AFTER = 45_000;
const REASONS = { hold: ["probe", "cable", "fixture"], release: ["checked", "repaired", "replaced"] };

export class Sheet {
  constructor(dialog) {
    this.dialog = dialog;
    this.behind = [...document.querySelectorAll("header, main, footer")];
    document.addEventListener("pointerdown", (event) => {
      if (!dialog.open) return;
      if (dialog.contains(event.target)) this.wait();
      else this.close();
    });
  }

  /** `view()` gives what the sheet shows now; it is asked again whenever the line has changed. `slot` is the one that it shows. */
  open(view, slot = null) {
    Object.assign(this, { view, slot, pad: null, key: null, acts: null });
    this.lay();
    this.follow();
    this.row.firstChild.focus();
  }

  lay() {
    [this.title, this.body, this.row] = [make("h2"), make("div", "body"), make("div", "row")];
    this.title.id = "sheet-title";
    this.dialog.replaceChildren(this.title, this.body, this.row);
    if (!this.dialog.open) {
      // The sheet is no modal dialog of the browser's, which would lie above the veil; but nothing behind it can be reached either.
      this.from = document.activeElement;
      this.dialog.show();
      for (const each of this.behind) each.inert = true;
    }
    this.wait();
  }

  close() {
    clearTimeout(this.timer); // and the pad with what was typed is forgotten
    this.pad = this.view = this.slot = null;
    for (const each of this.behind) each.inert = false;
    this.dialog.close();
    this.from?.focus();
    this.dialog.replaceChildren();
  }

  /** Nobody waits for a screen that somebody has left. */
  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.close(), CLOSES_AFTER);
  }

  follow() {
    if (this.pad) return this.pad.show();
    if (!this.view) return;
    const { state, title, body, acts, texts } = this.view();
    this.dialog.dataset.state = state;
    this.dialog.style.setProperty("--edge", `var(--${state}-edge, var(--${state}))`);
    this.body.replaceChildren(...body);
    const key = JSON.stringify([state, title]);
    if (key !== this.key) this.title.replaceChildren(shape(state), make("span", "", title));
    this.key = key;
    const names = acts.map(({ text }) => text).join();
    if (names === this.acts) return; // a button that somebody is about to hit stays where it is
    this.acts = names;
    this.row.replaceChildren(this.button({ text: texts.close, act: () => this.close() }), ...acts.map((each) => this.button(each)));
  }

  button({ text, act, href }) {
    const element = make(href ? "a" : "button", "", text);
    if (href) element.href = href;
    else element.type = "button";
    if (act) element.addEventListener("click", act);
    return element;
  }

  /** Asks for a PIN, with which `command` is done at a slot, or at the line. */
  ask(texts, command, slot) {
    const path = slot === null ? "/api/v1/line" : `/api/v1/slots/${encodeURIComponent(slot)}`;
    const title = slot === null ? texts.reopen : `${texts.slot} ${slot}: ${texts[command]}`;
    this.askPin(texts, title, REASONS[command], (token, reason) => post(`${path}/${command}`, { reason }, token));
  }

  /** Asks for a PIN, with which `act(token, reason)` is done; without reasons the token is for the shift. */
  askPin(texts, title, reasons, act, then = () => {}) {
    this.pad = new Pad(texts, reasons, act, () => { this.close(); then(); });
    this.lay();
    this.title.append(make("span", "", title));
    this.body.append(this.pad.element);
    this.row.append(this.button({ text: texts.close, act: () => this.close() }));
    this.pad.shown.focus();
  }

  /** A key of a keyboard, while the sheet lies open. */
  press(event) {
    if (!this.dialog.open) return;
    this.wait();
    if (event.key === "Escape") return this.close();
    if (!this.pad || event.ctrlKey || event.altKey || event.metaKey) return;
    if (/^[0-9]$/.test(event.key)) this.pad.press(event.key);
    if (event.key === "Backspace") this.pad.press("⌫");
    if (event.key === "Enter" && !event.target.closest?.("button")) this.pad.press("✓");
  }
}

/** What the sheet of a slot shows. */
export function slotView(slot, board, live, texts, now, ask) {
  const { state, act, fault, inside } = face(slot, board, live, now);
  const last = fault ?? slot.taken?.fault ?? null;
  const held = slot.held && [slot.held.who, new Date(slot.held.at).toLocaleString(texts.lang), slot.held.reason].filter(Boolean).join(" · ");
  const command = slot.service === "out" ? "release" : "hold";
  const word = texts.word[state].toLocaleUpperCase(texts.lang);
  return {
    state,
    texts,
    title: `${texts.slot} ${slot.slot} ${word}`,
    body: [
      ...(state === "empty" && slot.taken ? [make("p", "sentence", `${texts.taken}: ${texts.word[slot.taken.verdict]}.`)] : []),
      ...(last ? [make("p", "sentence", texts.fault[last] ?? slot.sentence ?? last)] : []),
      ...(inside ? [make("p", "act", texts.inside[inside])] : []),
      ...(act ? [make("p", "act", texts.act[act].replace("#", slot.serial))] : []),
      facts(texts, {
        who: act && texts.who[doer(act)],
        held,
        verdict: inside && texts.word[inside], // which the tile does not show
        evidence: last && last === slot.fault ? evidence(slot) : null,
        fault: last,
        attempt: slot.attempt ?? slot.taken?.attempt,
        uid: slot.uid ?? slot.taken?.uid,
        serial: slot.serial,
        probe: slot.probe,
        tty: slot.tty,
      }),
      steps(stages(slot, board.plans, now), texts),
    ],
    acts: [{ text: texts[command], act: () => ask(command) }],
  };
}

/** What the sheet of a paused line shows. */
export function lineView(line, texts, ask) {
  return {
    state: "paused",
    texts,
    title: texts.line[line.state],
    body: [
      make("p", "sentence", texts.fault[line.fault] ?? line.sentence ?? ""),
      make("p", "act", texts.act[line.act] ?? ""),
      facts(texts, { who: texts.who[doer(line.act)], evidence: evidence(line), fault: line.fault }),
      make("p", "sentence", texts.all),
    ],
    acts: [{ text: texts.reopen, act: ask }],
  };
}

/** What the sheet says of a scanned text that belongs to no slot. */
export function noteView(texts, { uid, reason }) {
  return {
    state: "unknown",
    texts,
    title: texts.note.title,
    body: [make("p", "sentence", texts.note[reason ?? "absent"] ?? reason)],
    acts: uid ? [{ text: texts.note.story, href: `/units/${encodeURIComponent(uid)}` }] : [],
  };
}

function facts(texts, entries) {
  const list = make("dl", "facts");
  for (const [name, value] of Object.entries(entries)) {
    if (value !== null && value !== undefined) list.append(make("dt", "", texts.fact[name]), make("dd", "", String(value)));
  }
  return list;
}

function steps(entries, texts) {
  const list = make("ol", "steps");
  for (const { step, seconds, when } of entries) {
    const item = make("li", when, texts.step[step] ?? step);
    item.append(make("span", "", seconds === null ? "–" : `${seconds.toFixed(1)} s`));
    list.append(item);
  }
  return list;
}
