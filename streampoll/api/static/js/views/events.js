/** Events: what rules found, the worst first; each can be acknowledged. */

import { acted, line } from "../dialogs.js";
import { empty, h, keep, setShown, setText } from "../dom.js";
import { ago, clock } from "../format.js";
import { deviceLink, stateOf } from "../parts.js";
import { refreshed, trouble } from "../refresh.js";
import { acknowledge, listEvents } from "../source.js";
import { acting } from "../who.js";
import { maintenanceCard } from "./maintenance.js";

const EVERY_MS = 5000;
const BRIEF = 8;
const SEVERITIES = ["info", "warning", "error", "critical"];

/** The open events in brief, for the overview. */
export function eventsCard() {
  const list = eventList("Open events", BRIEF);
  const node = h("section", { class: "card", "aria-label": "Open events" },
    h("div", { class: "card-head" }, h("h2", {}, "Open events"), h("a", { class: "end", href: "#/events" }, "All events")), list.node);
  return { node, end: list.end };
}

/** The events of a device over the last day. */
export function eventsOf(device) {
  const list = eventList("Events", Infinity, device, "all");
  return { node: h("section", { class: "card", "aria-label": "Events" }, h("h2", {}, "Events of the last day"), list.node), end: list.end };
}

/** The page. */
export function events() {
  const filter = h("select", { class: "select", "aria-label": "Which events", onchange: () => list.filter(filter.value) },
    h("option", { value: "open" }, "open"), h("option", { value: "all" }, "all of the last day"));
  const list = eventList("Events", Infinity);
  const windows = maintenanceCard();
  const node = h("div", {},
    h("div", { class: "page-head" }, h("h1", {}, "Events"), h("div", { class: "end" }, filter)),
    h("div", { class: "grid" }, h("section", { class: "card", "aria-label": "Events" }, list.node), windows.node));
  return { node, title: "Events", end: () => (list.end(), windows.end()) };
}

function eventList(label, most, device = "", first = "open") {
  const rows = h("ul", { class: "events", "aria-label": label });
  const [nothing, more, wrong] = [empty("No event is open."), h("p", { class: "muted small", hidden: true }), trouble()];
  const node = h("div", {}, wrong.node, rows, nothing, more);
  let state = first;
  nothing.hidden = true;
  const show = (data) => {
    wrong.say(null);
    const found = ordered(data.events);
    setShown(nothing, !found.length);
    setText(nothing, state === "open" ? "No event is open." : "There was no event in the last day.");
    setShown(more, found.length > most);
    setText(more, `and ${found.length - most} more`);
    keep(rows, found.slice(0, most), (event) => event.id, (event) => eventRow(event, asked));
  };
  const asked = refreshed((signal) => listEvents(state, device, signal), show, EVERY_MS, wrong.say);
  const heard = () => asked.now();
  document.addEventListener("stream-event", heard);
  return {
    node,
    filter: (given) => ((state = given), asked.now()),
    end: () => (asked.end(), document.removeEventListener("stream-event", heard)),
  };
}

/** The open before the closed, the worst first, then the newest. */
const ordered = (events) =>
  [...events].sort((a, b) => Boolean(a.closed) - Boolean(b.closed) || Boolean(a.acknowledged_at) - Boolean(b.acknowledged_at)
    || SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) || b.opened - a.opened);

function eventRow(event, asked) {
  const severity = stateOf(kindOfSeverity(event.severity));
  const [words, about, when] = [h("span", { class: "event-text" }), h("span", { class: "muted small" }), h("span", { class: "muted small event-when" })];
  const act = acting("Acknowledge", () => acknowledged(event, asked));
  const node = h("li", { class: "event" }, severity.node,
    h("span", { class: "event-body" }, h("span", { class: "event-head" }, deviceLink(event.device), words), about), when, act);
  const update = (now) => {
    severity.set(kindOfSeverity(now.severity), now.severity);
    setText(words, now.text || now.rule);
    setText(about, [now.rule, now.row, now.suppressed && `nobody told: ${now.suppressed}`, tookNote(now)].filter(Boolean).join(" · "));
    setText(when, now.closed ? `closed ${ago(now.closed)}` : ago(now.opened));
    when.title = clock(now.opened);
    setShown(act, !now.closed && !now.acknowledged_at);
    node.classList.toggle("done", Boolean(now.closed || now.acknowledged_at));
  };
  return { node, update };
}

const tookNote = (event) =>
  event.acknowledged_at && `acknowledged${event.acknowledged_by ? ` by ${event.acknowledged_by}` : ""}${event.acknowledged_note ? `: ${event.acknowledged_note}` : ""}`;

const kindOfSeverity = (severity) => ({ critical: "critical", error: "error", warning: "warning", info: "info" })[severity] ?? "";

async function acknowledged(event, asked) {
  const note = await line("Acknowledge", `${event.device}: ${event.text || event.rule}. Others see that somebody looks after it.`, "Note (may be empty)", "Acknowledge");
  if (note !== null && (await acted(() => acknowledge(event.id, note), `Acknowledged: ${event.rule} of ${event.device}.`))) asked.now();
}
