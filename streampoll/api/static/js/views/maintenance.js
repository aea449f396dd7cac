/** Maintenance windows: of some devices nobody is told for a while; listed, added, ended. */

import { acted, fields, sure } from "../dialogs.js";
import { card, empty, h, keep, setShown } from "../dom.js";
import { clock, span } from "../format.js";
import { cells, devicePath, stateOf, table } from "../parts.js";
import { refreshed, trouble } from "../refresh.js";
import { addWindow, endWindow, knowsDevice, listWindows, sites } from "../source.js";
import { acting } from "../who.js";

const EVERY_MS = 5000;
const HEADS = [["Devices"], ["State"], ["Until"], ["Reason", "wide"], ["By", "wide"], ["", null, "Actions"]];
const NAMES = ["wrap", "", "", "wide wrap", "wide muted", "actions"];
const HOUR_S = 3600;
const LENGTHS = [["30 minutes", HOUR_S / 2], ["1 hour", HOUR_S], ["2 hours", 2 * HOUR_S], ["4 hours", 4 * HOUR_S], ["8 hours", 8 * HOUR_S],
  ["1 day", 24 * HOUR_S], ["1 week", 7 * 24 * HOUR_S]];
const TITLE = "Maintenance";

/** The windows that are not over, with a way to add one. */
export function maintenanceCard() {
  const { node: grid, body } = table("Maintenance windows", HEADS);
  const [nothing, wrong] = [empty("None: people are told of every event."), trouble()];
  const add = acting("Add", async () => (await addOne()) && asked.now());
  const node = h("section", { class: "card", "aria-label": TITLE },
    h("div", { class: "card-head" }, h("h2", {}, TITLE), h("span", { class: "end" }, add)), wrong.node, grid, nothing);
  nothing.hidden = grid.hidden = true;
  const show = ({ windows }) => {
    wrong.say(null);
    setShown(nothing, !windows.length);
    setShown(grid, windows.length);
    keep(body, windows, (each) => each.id, (each) => windowRow(each, asked));
  };
  const asked = refreshed(listWindows, show, EVERY_MS, wrong.say);
  return { node, end: asked.end };
}

function windowRow(given, asked) {
  const node = h("tr", {});
  const [fill, state, whose] = [cells(node, NAMES), stateOf(""), h("span", {}, selected(given.select))];
  const end = acting("End", async () => (await endOne(given)) && asked.now());
  const update = (now) => {
    const waits = now.since - Date.now() / 1000;
    state.set(waits > 0 ? "" : "paused", waits > 0 ? `in ${span(waits)}` : "now");
    state.node.title = `from ${clock(now.since)}`;
    fill([whose, state.node, clock(now.until), now.reason || "–", now.by || "–", end]);
  };
  return { node, update };
}

/** What a window selects: every key that is there must fit. */
function selected(select) {
  const parts = Object.entries(select).map(([key, names]) => [key === "devices" ? "" : `${key} `, names.map((name, place) => [place ? ", " : "",
    key === "devices" ? h("a", { href: devicePath(name) }, name) : name])]);
  return parts.map(([key, names], place) => [place ? " and " : "", key, names]).flat(4);
}

const inWords = (select) => h("span", {}, selected(select)).textContent;

/** Ask for a window, of a device if one is given, and keep it; true if so. */
export async function addOne(device = "") {
  const known = device ? [] : await siteNames();
  const kind = choice([["a device", "devices"], ...(known.length ? [["a site", "site"]] : [])]);
  const name = h("input", { type: "text", class: "input", maxlength: "255", autocomplete: "off", spellcheck: "false" });
  const site = choice(known.map((each) => [each, each]));
  const length = choice(LENGTHS, HOUR_S);
  const why = h("input", { type: "text", class: "input", maxlength: "500", autocomplete: "off" });
  const rows = { kind: ["For", kind], name: ["Device", name], site: ["Site", site], length: ["How long, from now", length], why: ["Reason (others are shown it)", why] };
  const which = () => (setShown(name.closest(".field"), kind.value === "devices"), setShown(site.closest(".field"), kind.value === "site"));
  kind.addEventListener("change", which);
  const shown = device ? { length: rows.length, why: rows.why } : rows;
  const words = `${device ? `Nobody is told of events of ${device}` : "Nobody is told of events of these devices"} until it is over. They are polled as ever, and events are listed.`;
  const given = fields("Maintenance", words, shown, "Begin");
  if (!device) which();
  if (!(await given)) return false;
  const select = device ? { devices: [device] } : { [kind.value]: [kind.value === "site" ? site.value : name.value.trim()] };
  return acted(() => kept(select, Number(length.value), why.value), `Maintenance of ${inWords(select)} has begun.`);
}

/** Keep a window; not of a device that nobody knows, which would silence nothing. */
async function kept(select, length, reason) {
  for (const name of select.devices ?? []) await knowsDevice(name);
  await addWindow(select, length, reason);
}

async function endOne(given) {
  const whose = inWords(given.select);
  if (!(await sure("End maintenance?", `People are told of events of ${whose} again, from now on.`, "End"))) return false;
  return acted(() => endWindow(given.id), `Maintenance of ${whose} has ended.`);
}

async function siteNames() {
  try {
    return (await sites()).sites.map((each) => each.site).filter(Boolean);
  } catch {
    return []; // then it is for a device
  }
}

function choice(options, chosen = null) {
  const node = h("select", { class: "select" }, options.map(([words, value]) => h("option", { value: String(value) }, words)));
  if (chosen !== null) node.value = String(chosen);
  return node;
}
