// SPDX-License-Identifier: Apache-2.0
// What the page knows of the line, and what it shows of that. Pure: no document, no network, no clock of its own.

export const STATES = ["empty", "waiting", "pending", "running", "pass", "fail", "void", "out", "unknown"];
export const HANDS = ["pass", "fail", "void", "out"]; // the states in which somebody is to come
const TAKEN_FOR = 20; // seconds for which a slot remembers the board that was pulled out
const FULL = 0.97; // of a step's arc: the rest is drawn when the line says that the step is over
const SLOW = { times: 2, seconds: 3 };

/** The board after one more event, which came at `now` (milliseconds). */
export function after(board, event, data, now) {
  if (event === "snapshot") {
    const slots = new Map(data.slots.map((slot) => [slot.slot, { ...slot, at: now }]));
    return { ...data, line: { ...data.line, at: now }, slots };
  }
  if (!board) return null; // nothing to add to: a snapshot comes first
  if (event === "slot") {
    const slots = new Map(board.slots);
    slots.set(data.slot, { ...data, at: now });
    return { ...board, slots };
  }
  if (event === "line") {
    const same = board.line.state === data.state && board.line.fault === data.fault;
    return { ...board, line: { ...data, at: same ? board.line.at : now } };
  }
  if (["lot", "last", "plans", "shared"].includes(event)) return { ...board, [event]: data };
  if (event === "mes") return { ...board, mes: data.late };
  return board;
}

/** What a slot's tile shows. Without a living connection it is not known: no colour that nobody vouches for. */
export function face(slot, board, live, now) {
  if (!live) return { state: "unknown", act: null, fault: null, taken: null, inside: null, trial: false, label: null };
  const named = slot.state === "out of service" ? "out" : slot.state;
  const state = STATES.includes(named) ? named : "unknown";
  const { state: line, act: ofLine } = board.line;
  const held = line === "open" ? null : line === "paused" ? ofLine ?? "wait" : ""; // a line that ends wants nothing of an idle slot
  const since = (slot.taken?.seconds ?? 0) + (now - slot.at) / 1000;
  const faulty = ["fail", "void", "out", "pending"].includes(state);
  const taken = state === "empty" && slot.taken && since < TAKEN_FOR ? slot.taken : null;
  const label = state !== "pass" ? null : slot.uid && board.stick === slot.uid ? "stick" : slot.label;
  const act = taken?.act ?? { due: "due", printed: "label", stick: "label" }[label] ?? { empty: held ?? "plug", waiting: held ?? "wait", running: "leave", pass: "take" }[state]
    ?? slot.act ?? (state === "void" ? "again" : "engineer");
  return {
    state,
    act,
    fault: faulty ? slot.fault : null,
    taken: taken?.verdict ?? null,
    inside: state === "out" ? slot.verdict ?? null : null, // of the board that waits in a slot out of service
    trial: slot.service === "trial",
    label,
  };
}

/** How far a running attempt is: an arc for each step, and the seconds that are left, or null where nobody can tell. */
export function progress(slot, plans, now) {
  const plan = plans[slot.procedure ?? "provision"] ?? [];
  const whole = plan.reduce((sum, { seconds }) => sum + seconds, 0) || 1;
  const here = plan.findIndex(({ step }) => step === slot.step);
  const spent = slot.step_seconds + (now - slot.at) / 1000;
  const arcs = plan.map(({ seconds }, index) => {
    const share = seconds / whole;
    const filled = index < here ? 1 : index > here ? 0 : FULL * Math.min(1, spent / (seconds || 0.001));
    return { share, filled };
  });
  if (here < 0) return { arcs, left: null, slow: false };
  const rest = plan.slice(here + 1).reduce((sum, { seconds }) => sum + seconds, 0);
  const left = Math.max(1, Math.ceil(rest + Math.max(0, plan[here].seconds - spent)));
  return { arcs, left, slow: spent > SLOW.times * plan[here].seconds + SLOW.seconds };
}

/** The steps of an attempt with their seconds: those that are over, the one that runs, and those to come, which have none. */
export function stages(slot, plans, now) {
  // Until the next step begins, the one that is over is still that of the slot.
  const over = Object.entries(slot.steps ?? {}).filter(([step]) => step !== slot.step).map(([step, seconds]) => ({ step, seconds, when: "over" }));
  if (!slot.step) return over;
  const spent = slot.step_seconds + (now - slot.at) / 1000;
  const plan = plans[slot.procedure ?? "provision"] ?? [];
  const later = plan.slice(plan.findIndex(({ step }) => step === slot.step) + 1).filter(({ step }) => !(step in slot.steps));
  return [...over, { step: slot.step, seconds: spent, when: "now" }, ...later.map(({ step }) => ({ step, seconds: null, when: "later" }))];
}

/** What a fault was seen by: the reason without the sentence that it begins with. */
export function evidence({ reason, sentence }) {
  if (!reason) return null;
  const rest = sentence && reason.startsWith(sentence) ? reason.slice(sentence.length).trim() : reason;
  return rest.replace(/^\((.*)\)$/s, "$1") || null;
}

/** Who does what an act asks for. */
export function doer(act) {
  return { technician: "technician", engineer: "engineer", wait: "nobody", leave: "nobody", due: "nobody" }[act] ?? "operator";
}

/** The slot with the board of this UID, if one has it. */
export function slotOf(board, uid) {
  return [...board.slots.values()].find((slot) => slot.uid && slot.uid === uid.trim().toLowerCase()) ?? null;
}

/** How many slots want somebody's hands, by state. */
export function hands(board, live, now) {
  const count = Object.fromEntries(HANDS.map((state) => [state, 0]));
  if (board && live) for (const slot of board.slots.values()) {
    const { state } = face(slot, board, live, now);
    if (state in count) count[state] += 1;
  }
  return count;
}

/** The grid: as the configuration places the slots, or with the number of columns that leaves the largest tiles. */
export function grid(board, width, height) {
  const slots = [...board.slots.values()];
  if (slots.length && slots.every(({ place }) => place)) {
    return { columns: Math.max(...slots.map(({ place }) => place[1])), placed: true };
  }
  if (board.columns) return { columns: board.columns, placed: false };
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= slots.length; columns += 1) {
    const rows = Math.ceil(slots.length / columns);
    const whole = rows * columns === slots.length ? 1 : 0.7; // a grid without holes is read faster
    const size = whole * Math.min(width / columns / 1.7, height / rows);
    if (size > best.size) best = { columns, size };
  }
  return { columns: best.columns, placed: false };
}

/** The sound that a slot's change is worth; null for none. */
export function alarm(before, now) {
  return before && before.state !== "unknown" && before.state !== now.state && ["fail", "out"].includes(now.state) ? now.state : null;
}

/** Minutes and seconds. */
export function minutes(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
