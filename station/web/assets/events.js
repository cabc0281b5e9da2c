// SPDX-License-Identifier: Apache-2.0
// Puts each new event on top of the table, unless somebody holds it to read. The rows are those that the station has rendered.

const table = document.querySelector("table");
const rows = table.tBodies[0];
const hold = document.getElementById("hold");
const state = document.getElementById("state");
const SHOWN = 500;
const SILENT_AFTER = 3000;
const waiting = [];
let after = Number(table.dataset.last);
let held = false;

function cell(row, text, path) {
  const place = row.insertCell();
  if (!path) return place.append(text);
  const link = document.createElement("a");
  link.href = path;
  link.append(text);
  place.append(link);
}

function show(event) {
  const row = rows.insertRow(0);
  const body = Object.entries(event.body).map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(", ");
  cell(row, String(event.number));
  cell(row, event.at);
  cell(row, event.slot, `/slots/${encodeURIComponent(event.slot)}`);
  cell(row, String(event.attempt), `/events?attempt=${event.attempt}`);
  cell(row, event.type);
  cell(row, body);
}

function draw(word) {
  if (!held) for (const event of waiting.splice(0)) show(event);
  while (rows.rows.length > SHOWN) rows.deleteRow(-1);
  const text = word ?? (held ? `held, ${waiting.length} more` : "live");
  if (state.textContent !== text) state.textContent = text;
}

/** Asks for what has come since, again at once if there was more than one answer has room for. */
async function ask() {
  let more = null;
  try {
    const signal = AbortSignal.timeout(SILENT_AFTER); // a line that is cut answers nothing, not even an end
    const answer = await fetch(`/api/v1/events?limit=${SHOWN}&after=${after}${table.dataset.query}`, { signal });
    if (!answer.ok) throw new Error(answer.status);
    const page = await answer.json();
    for (const event of page.events) after = event.number;
    waiting.push(...page.events);
    waiting.splice(0, waiting.length - SHOWN);
    more = page.next;
    draw();
  } catch {
    draw("not connected");
  }
  setTimeout(next, more ? 0 : 1000);
}

function next() {
  if (document.hidden) document.addEventListener("visibilitychange", next, { once: true });
  else ask();
}

hold.hidden = false;
hold.addEventListener("click", () => {
  held = !held;
  hold.textContent = held ? "go on" : "hold";
  hold.setAttribute("aria-pressed", held);
  draw();
});
next();
