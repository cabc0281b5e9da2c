// SPDX-License-Identifier: Apache-2.0
// One slot as a tile. It is built once; then only what differs is touched.

import { face, progress } from "./board.js";

const SVG = "http://www.w3.org/2000/svg";
const LONG = 80; // characters of a sentence that wants smaller letters
const GAP = 10; // between two arcs, of the 1000 that a whole ring has
const ROUND = "M48 9a39 39 0 0 1 0 78a39 39 0 0 1 0-78"; // from the top

function drawn(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** A shape of the page, such as the tick of a pass. */
export function shape(state, kind = "shape") {
  const element = drawn("svg", { class: kind, viewBox: "0 0 96 96", "aria-hidden": "true" });
  element.append(drawn("use", { href: `#s-${state}` }));
  return element;
}

/** An element with a class and a text, which is never markup. */
export function make(name, kind = "", text = "") {
  const element = document.createElement(name);
  if (kind) element.className = kind;
  element.textContent = text;
  return element;
}

const ruler = document.createElement("canvas").getContext("2d");
const widths = new Map();

/** The width of a word, as a multiple of its size, in the font that this machine really has. */
function breadth(word) {
  if (!widths.has(word)) {
    ruler.font = `800 100px ${getComputedStyle(document.body).fontFamily}`;
    widths.set(word, (ruler.measureText(word).width / 100).toFixed(3));
  }
  return widths.get(word);
}

/** The arcs as dashes: of each, the part from its beginning that is drawn. */
function dashes(arcs, parts) {
  return arcs.map(({ share }, index) => {
    const dash = parts[index] * Math.max(1, share * 1000 - GAP);
    return `${dash.toFixed(1)} ${Math.max(0, share * 1000 - dash).toFixed(1)}`;
  }).join(" ") || "0 1000";
}

export class Tile {
  /** `tapped(name)` is called when somebody wants to know more. */
  constructor(name, tapped) {
    this.name = name;
    this.item = make("li");
    this.element = make("button", "tile");
    this.element.type = "button";
    this.element.addEventListener("click", () => tapped(name));
    this.item.append(this.element);
    [this.number, this.word, this.why, this.say, this.tag] = ["number", "word", "why", "say", "tag"].map((kind) => make("span", kind));
    this.number.textContent = name;
    this.element.style.setProperty("--number-breadth", breadth(name));
    this.shape = shape("unknown");
    this.taken = shape("unknown", "taken");
    this.element.append(this.number, this.shape, this.taken, this.word, this.why, this.say, this.tag);
    this.element.addEventListener("animationend", ({ animationName }) => this.element.classList.remove(animationName));
    this.face = null;
  }

  show(slot, board, live, texts, now) {
    this.slot = slot;
    const before = this.face;
    this.face = face(slot, board, live, now);
    const key = JSON.stringify([this.face, slot.step, texts.lang]);
    if (key !== this.key) {
      this.draw(texts);
      this.key = key; // once it is drawn
    }
    if (before && before.state !== this.face.state && ["fail", "void", "out"].includes(this.face.state)) this.element.classList.add("changed");
    this.tick(board, texts, now);
    return before;
  }

  draw(texts) {
    const { state, act, fault, taken, inside, trial, label } = this.face;
    const [spoken, word] = [texts.word[state], texts.label[label] ?? texts.word[state]].map((text) => text.toLocaleUpperCase(texts.lang));
    const sentence = fault ? texts.fault[fault] ?? this.slot.sentence ?? fault : "";
    const say = taken ? [`${texts.taken}: ${texts.word[taken]}.`, texts.act[act] ?? ""].join(" ").trim()
      : inside ? `${texts.inside[inside] ?? ""} ${texts.call[act] ?? texts.act[act]}`.trim()
      : state === "running" ? texts.step[this.slot.step] ?? ""
      : act ? ((label === "bound" ? `${texts.bound} ` : "") + (texts.act[act] ?? "")).replace("#", this.slot.serial) : "";
    this.element.dataset.state = state;
    this.element.style.setProperty("--breadth", breadth(word));
    this.word.textContent = word;
    this.why.textContent = sentence;
    this.why.classList.toggle("long", sentence.length > LONG);
    this.say.textContent = say;
    this.tag.textContent = trial ? texts.trial : "";
    this.element.classList.toggle("stick", label === "stick");
    if (state !== "running") this.place(shape(state));
    else if (!this.ring) this.place(drawn("svg", { class: "shape ring", viewBox: "0 0 96 96", "aria-hidden": "true" }));
    const mark = taken ?? inside;
    this.taken.dataset.verdict = mark ?? "";
    if (mark) this.taken.firstChild.setAttribute("href", `#s-${mark}`);
    this.element.setAttribute("aria-label", `${texts.slot} ${this.name}: ${texts.spoken[state] ?? spoken}. ${sentence} ${say}`.trim());
  }

  place(element) {
    this.ring = null;
    this.shape.replaceWith(element);
    this.shape = element;
  }

  /** Once a second: the ring goes on between two events, and a slot forgets the board that was pulled out. */
  tick(board, texts, now) {
    if (this.face.state !== "running") return;
    const { arcs, left, slow } = progress(this.slot, board.plans, now);
    if (!this.ring) this.build();
    const [rest, fill] = [arcs.map(() => 1), arcs.map(({ filled }) => filled)].map((parts) => dashes(arcs, parts));
    for (const [path, dashed] of [[this.ring.rest, rest], [this.ring.fill, fill]]) {
      if (path.getAttribute("stroke-dasharray") !== dashed) path.setAttribute("stroke-dasharray", dashed);
    }
    const text = slow ? texts.slow : left === null ? "" : String(left);
    if (this.seconds.textContent !== text) this.seconds.textContent = text;
    this.seconds.classList.toggle("long", text.length > 2);
  }

  /** Two paths, however many steps there are: of each, the browser draws all arcs at once. */
  build() {
    const [rest, fill] = ["rest", "fill"].map((kind) => drawn("path", { class: kind, d: ROUND, pathLength: 1000 }));
    this.ring = { rest, fill };
    this.seconds = drawn("text", { x: 48, y: 49 });
    this.shape.replaceChildren(rest, fill, this.seconds);
  }
}
