// SPDX-License-Identifier: Apache-2.0
// One slot as a tile. It is built once; then only what differs is touched.

import { face, progress } from "./board.js";

const SVG = "http://www.w3.org/2000/svg";
const LONG = 80; // characters of a sentence that wants smaller letters
const GAP = 10; // between two arcs, of the 1000 that a whole ring has

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
    const { state, act, fault, taken, inside, trial } = this.face;
    const word = texts.word[state].toLocaleUpperCase(texts.lang);
    const sentence = fault ? texts.fault[fault] ?? this.slot.sentence ?? fault : "";
    const say = taken ? [`${texts.taken}: ${texts.word[taken]}.`, texts.act[act] ?? ""].join(" ").trim()
      : inside ? `${texts.inside[inside] ?? ""} ${texts.call[act] ?? texts.act[act]}`.trim()
      : state === "running" ? texts.step[this.slot.step] ?? ""
      : act ? texts.act[act] ?? "" : "";
    this.element.dataset.state = state;
    this.element.style.setProperty("--breadth", breadth(word));
    this.word.textContent = word;
    this.why.textContent = sentence;
    this.why.classList.toggle("long", sentence.length > LONG);
    this.say.textContent = say;
    this.tag.textContent = trial ? texts.trial : "";
    if (state !== "running") this.place(shape(state));
    else if (!this.arcs) this.place(drawn("svg", { class: "shape ring", viewBox: "0 0 96 96", "aria-hidden": "true" }));
    const mark = taken ?? inside;
    this.taken.dataset.verdict = mark ?? "";
    if (mark) this.taken.firstChild.setAttribute("href", `#s-${mark}`);
    this.element.setAttribute("aria-label", `${texts.slot} ${this.name}: ${texts.spoken[state] ?? word}. ${sentence} ${say}`.trim());
  }

  place(element) {
    this.arcs = null;
    this.shape.replaceWith(element);
    this.shape = element;
  }

  /** Twice a second: the ring goes on between two events, and a slot forgets the board that was pulled out. */
  tick(board, texts, now) {
    if (this.face.state !== "running") return;
    const { arcs, left, slow } = progress(this.slot, board.plans, now);
    this.build(arcs);
    arcs.forEach(({ share, filled }, index) => {
      const length = Math.max(1, share * 1000 - GAP);
      const dashes = `${(filled * length).toFixed(1)} 2000`;
      if (this.arcs[index].dashes === dashes) return;
      this.arcs[index].dashes = dashes;
      this.arcs[index].fill.setAttribute("stroke-dasharray", dashes);
    });
    const text = slow ? texts.slow : left === null ? "" : String(left);
    if (this.seconds.textContent !== text) this.seconds.textContent = text;
    this.seconds.classList.toggle("long", text.length > 2);
  }

  build(arcs) {
    const key = JSON.stringify(arcs.map(({ share }) => share));
    if (this.arcs && this.arcs.key === key) return;
    this.arcs = arcs.map(({ begin, share }) => {
      const circle = { cx: 48, cy: 48, r: 39, pathLength: 1000, "stroke-dashoffset": (-begin * 1000).toFixed(1) };
      const length = Math.max(1, share * 1000 - GAP).toFixed(1);
      const rest = drawn("circle", { ...circle, class: "rest", "stroke-dasharray": `${length} 2000` });
      const fill = drawn("circle", { ...circle, class: "fill", "stroke-dasharray": "0 2000" });
      return { rest, fill, dashes: "" };
    });
    this.arcs.key = key;
    this.seconds = drawn("text", { x: 48, y: 49 });
    this.shape.replaceChildren(...this.arcs.flatMap(({ rest, fill }) => [rest, fill]), this.seconds);
  }
}
