// SPDX-License-Identifier: Apache-2.0
// The operator's page: one tile for each slot, fed by the line's events.

import { after, alarm, face, grid, hands, minutes, slotOf } from "./board.js";
import { isLabel, Labels } from "./labels.js";
import { Scanner, unitOf } from "./scanner.js";
import { lineView, noteView, Sheet, slotView } from "./sheet.js";
import { Sound } from "./sound.js";
import { Stream } from "./stream.js";
import { make, shape, Tile } from "./tile.js";

const LANGUAGES = ["en", "de", "zh"];
const VERSION = document.querySelector("meta[name=page-version]").content;
const id = (name) => document.getElementById(name);
const write = (name, text) => { if (id(name).textContent !== text) id(name).textContent = text; };
const tiles = new Map();
const sound = new Sound();
const sheet = new Sheet(id("sheet"));
const scanner = new Scanner();
const labels = new Labels((uid) => {
  if (board) board.stick = uid;
  draw();
});
let board = null;
let texts = null;
let live = false;
let lostAt = performance.now();
let odd = false;
let asking = false;
let scans = Promise.resolve();
let ticks = 0;

/** Fetches the words of a language, and draws the page in it. */
async function speak(language) {
  const answer = await fetch(`/assets/strings/${language}.json`);
  if (!answer.ok) throw new Error(`no words: ${answer.status}`);
  texts = await answer.json();
  document.documentElement.lang = texts.lang;
  const next = LANGUAGES[(LANGUAGES.indexOf(texts.lang) + 1) % LANGUAGES.length];
  write("language", { en: "EN", de: "DE", zh: "中文" }[next]);
  id("language").setAttribute("aria-label", `${texts.language}: ${next}`);
  id("sound").setAttribute("aria-label", texts.sound);
  id("slots").setAttribute("aria-label", texts.slots);
  write("release", texts.reopen);
  draw();
}

function draw() {
  if (!texts) return;
  const now = performance.now();
  if (board) {
    if (tiles.size !== board.slots.size || [...board.slots.keys()].some((name) => !tiles.has(name))) build();
    for (const slot of board.slots.values()) tiles.get(slot.slot).show(slot, board, live, texts, now);
  }
  drawLine();
  drawLot();
  drawFooter(now);
  sheet.follow();
}

function build() {
  tiles.clear();
  for (const name of board.slots.keys()) tiles.set(name, new Tile(name, openSlot));
  id("slots").replaceChildren(...[...tiles.values()].map((tile) => tile.item));
  arrange();
}

function arrange() {
  if (!board) return;
  const { columns, placed } = grid(board, id("slots").clientWidth, id("slots").clientHeight);
  id("slots").style.setProperty("--columns", columns);
  for (const [name, tile] of tiles) {
    const [row, column] = placed ? board.slots.get(name).place : ["auto", "auto"];
    tile.element.style.gridArea = `${row} / ${column}`;
  }
}

function drawLine() {
  const line = board?.line;
  const state = live ? line.state : "unknown";
  document.body.dataset.line = state;
  write("line-word", texts.line[state] ?? state);
  const sentence = line?.fault ? texts.fault[line.fault] ?? line.sentence ?? line.reason : "";
  write("line-say", {
    unknown: texts.line.say,
    paused: `${sentence} ${texts.act[line?.act] ?? ""}`,
    draining: texts.line.drains,
  }[state] ?? `${board.product ?? board.recipe} · ${board.station}`);
  id("release").hidden = state !== "paused";
  id("line").querySelector("use").setAttribute("href", `#s-${state}`);
  const title = `${texts.line[state] ?? state} · ${board?.station ?? ""}`;
  if (document.title !== title) document.title = title;
}

function drawLot() {
  const lot = board?.lot?.name ? board.lot : null;
  const numbers = new Intl.NumberFormat(texts.lang);
  const planned = lot?.planned ?? null;
  id("lot").hidden = !lot;
  id("share").hidden = id("left-part").hidden = planned === null;
  if (!lot) return;
  write("lot-title", lot.work_order ? texts.lot.order : texts.lot.lot);
  write("lot-name", lot.work_order ?? lot.name);
  write("passed-title", texts.word.pass);
  write("passed", numbers.format(lot.passed));
  write("planned", planned === null ? "" : ` ${texts.lot.of} ${numbers.format(planned)}`);
  write("failed-title", texts.word.fail);
  write("failed", numbers.format(lot.failed));
  write("left-title", texts.lot.left);
  write("left", planned === null ? "" : numbers.format(Math.max(0, planned - lot.passed)));
  id("share").max = planned || 1;
  id("share").value = lot.passed;
}

function drawFooter(now) {
  const last = live ? board?.last : null;
  const key = JSON.stringify([last, texts.lang]);
  if (id("last").dataset.key !== key) {
    id("last").dataset.state = last?.verdict ?? "";
    id("last").replaceChildren(...(last ? sentences(last) : []));
    id("last").dataset.key = key;
  }
  const stock = live ? board?.shared : null;
  id("shared").hidden = stock?.left == null;
  if (stock?.left != null) {
    write("shared", texts.shared[stock.away ? "away" : "low"].replace("#", new Intl.NumberFormat(texts.lang).format(stock.left)));
  }
  const late = live ? board?.mes ?? 0 : 0;
  id("mes").hidden = late === 0;
  if (late > 0) {
    write("mes", `MES ${new Intl.NumberFormat(texts.lang).format(late)}`);
    id("mes").title = texts.mes;
  }
  const counts = hands(board, live, now);
  const counted = JSON.stringify([counts, texts.lang]);
  if (id("hands").dataset.key === counted) return;
  id("hands").dataset.key = counted;
  id("hands").replaceChildren(...Object.entries(counts).map(([state, count]) => {
    const item = document.createElement("li");
    item.dataset.state = state;
    item.classList.toggle("none", count === 0);
    item.setAttribute("aria-label", `${texts.word[state]}: ${count}`);
    item.append(shape(state), String(count));
    return item;
  }));
}

function sentences(last) {
  return [
    shape(last.verdict),
    make("b", "where", `${last.slot} ${texts.word[last.verdict]}`),
    make("span", "sentence", texts.fault[last.fault] ?? last.sentence),
    make("b", "act", `→ ${texts.act[last.act]}`),
  ];
}

/** A daemon of another version brings another page. One that comes again unchanged is not asked for twice. */
function outdated(version) {
  if (version === VERSION || sessionStorage.getItem("reloaded") === version) return false;
  sessionStorage.setItem("reloaded", version);
  location.reload();
  return true;
}

function told(event, data) {
  if (event === "snapshot" && outdated(data.version)) return;
  const now = performance.now();
  const slot = event === "slot" ? board?.slots.get(data.slot) : null;
  const before = slot ? face(slot, board, live, now) : null;
  board = after(board, event, data, now);
  if (!board) return;
  const kind = slot && alarm(before, face(board.slots.get(data.slot), board, live, now));
  if (kind) sound.play(kind);
  paint(event === "slot" ? data.slot : null);
}

/** Draws, or else vouches for nothing. */
function surely(drawing) {
  try {
    drawing();
  } catch (error) {
    stream.doubt(error);
  }
}

const due = new Set();

/** Draws once a frame what has changed, however many events tell of it; without a slot's name, all. */
function paint(name) {
  if (!due.size) requestAnimationFrame(() => surely(() => {
    const names = [...due];
    due.clear();
    if (!texts) return;
    if (names.includes(null) || names.some((each) => !tiles.has(each))) return draw();
    const now = performance.now();
    for (const each of names) tiles.get(each).show(board.slots.get(each), board, live, texts, now);
    drawFooter(now);
    sheet.follow();
  }));
  due.add(name);
}

function openSlot(name) {
  if (!live || !texts) return;
  const { text } = labels;
  if (text) return inTurn(() => labelled(text, name));
  sheet.open(() => slotView(board.slots.get(name), board, live, texts, performance.now(), (command) => sheet.ask(texts, command, name)), name);
}

function find(name) {
  tiles.get(name).element.classList.add("found");
}

/** Scans are answered one after the other, so that none of them hides what the one before came to. */
function inTurn(act) {
  scans = scans.then(act).catch((error) => stream.doubt(error));
}

/** Shows where a scanned unit is: the slot that has it, or else its story. */
async function scanned(text, from) {
  if (!live || !texts || !id("wrong").hidden) return;
  if (sheet.pad) return sheet.pad.clear(); // a scanner is no hand: the digits of a label are no PIN
  if (isLabel(text)) return labelled(text, board.slots.get(from)?.state === "pass" ? from : null);
  const place = board.slots.get(text.replace(/^slot\W*/i, "").trim()); // the code on a slot
  if (place) return openSlot(place.slot);
  labels.end();
  const found = slotOf(board, text) ? { uid: text } : await unitOf(text);
  if (!live) return;
  const slot = found.uid ? slotOf(board, found.uid) : null;
  if (!slot) return sheet.open(() => noteView(texts, found));
  find(slot.slot);
  openSlot(slot.slot);
}

/** Compares a label with the board in the slot, if one is given, and shows what the station says. */
async function labelled(text, slot) {
  const told = await labels.scan(text, slot);
  if (told?.board) return wrong(told);
  if (!live) return;
  if (!told) return sheet.askPin(texts, texts.scan, null, (token) => { labels.token = token; }, () => labelled(text, slot));
  if (sheet.dialog.open) sheet.close();
  if (!told.slot) return sheet.open(() => noteView(texts, told.uid || told.reason ? told : { reason: slot || told.status === 403 ? told.detail : "code" }));
  find(told.slot);
}

/** A label at the wrong board stops everything here until somebody has seen it. */
function wrong({ slot, board, other }) {
  if (sheet.dialog.open) sheet.close();
  write("wrong-title", texts.swapped.title);
  write("wrong-board", `${texts.slot} ${slot}`);
  write("wrong-board-serial", board);
  write("wrong-label", texts.swapped.label);
  write("wrong-label-serial", other ?? texts.swapped.none);
  write("wrong-act", texts.swapped.act);
  write("seen", texts.swapped.seen);
  show(true);
  id("wrong").focus();
  sound.play("fail");
}

function show(wrong) {
  id("wrong").hidden = id("seen").hidden = !wrong;
  for (const each of sheet.behind) each.inert = wrong;
}
id("seen").addEventListener("click", () => show(false));

function beat() {
  if (!board) return; // nothing to vouch for
  odd = !odd;
  id("veil").className = odd ? "odd" : "even"; // another animation begins anew: four more seconds
  if (live) return;
  live = true;
  draw();
}

/** Leads to where somebody signs in, if that is why nobody answers; it happens only where the page needs it. */
async function signIn() {
  if (location.protocol !== "https:" || asking) return;
  asking = true;
  const answer = await fetch("/api/v1/line", { cache: "no-store", signal: AbortSignal.timeout(3000) }).catch(() => null);
  asking = false;
  if (answer?.status !== 401) return;
  const next = location.pathname + location.search;
  location.replace(`/sign-in?${new URLSearchParams({ lang: document.documentElement.lang, next })}`);
}

function lost() {
  if (live) lostAt = performance.now();
  live = false;
  signIn();
  labels.end();
  if (sheet.dialog.open) sheet.close(); // nobody vouches for what it shows
  if (!texts) return; // the veil still covers all
  id("veil").className = ""; // covers all, until it is drawn that nothing is known
  draw();
  id("veil").className = "told";
}

function tick() {
  write("clock", new Date().toLocaleTimeString("en-GB"));
  if (!texts) return;
  const now = performance.now();
  const since = !live ? lostAt : board.line.state === "paused" ? board.line.at : null;
  write("since", since === null ? "" : minutes(now - since));
  ticks += 1;
  if (!live || document.hidden || ticks % 2) return;
  for (const slot of board.slots.values()) tiles.get(slot.slot)?.show(slot, board, live, texts, now);
  sheet.follow();
}
setInterval(() => surely(tick), 500);
tick();

id("release").addEventListener("click", () => {
  sheet.open(() => lineView(board.line, texts, () => sheet.ask(texts, "release", null)));
});

document.addEventListener("keydown", (event) => {
  if (event.repeat) return;
  const text = scanner.key(event.key, event.timeStamp);
  if (text !== null || (!id("wrong").hidden && scanner.text.length > 1)) event.preventDefault(); // a scanner presses no button
  if (text === null) return sheet.press(event);
  const from = sheet.slot;
  inTurn(() => scanned(text, from));
});

id("language").addEventListener("click", () => {
  const next = LANGUAGES[(LANGUAGES.indexOf(texts?.lang) + 1) % LANGUAGES.length];
  localStorage.setItem("language", next);
  speak(next).catch(() => {}); // the words stay as they are; the stream tells that nobody answers
});

function showSound() {
  id("sound").setAttribute("aria-pressed", String(sound.on));
  id("sound").querySelector("use").setAttribute("href", sound.on ? "#s-loud" : "#s-mute");
}
id("sound").addEventListener("click", () => { sound.toggle(); showSound(); });
showSound();
new ResizeObserver(arrange).observe(id("slots"));

const stream = new Stream("/api/v1/stream", { told, beat, lost });
document.addEventListener("visibilitychange", () => { // a browser grants six streams to one address: a hidden page gives its own back
  if (!document.hidden) return stream.open();
  stream.close();
  lost();
});

const asked = new URLSearchParams(location.search);
if (asked.get("theme")) document.documentElement.dataset.theme = asked.get("theme");
const wanted = asked.get("lang") ?? localStorage.getItem("language");
const first = LANGUAGES.includes(wanted) ? wanted : document.documentElement.lang;

async function begin() {
  try {
    await speak(first);
  } catch {
    setTimeout(begin, 1000);
  }
}
stream.open();
begin();
