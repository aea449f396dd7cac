/** All devices: searched, filtered, sorted; only the rows in sight exist, so that thousands are no burden. */

import { h, setText } from "../dom.js";
import { ago, count, epoch, millis } from "../format.js";
import { virtualList } from "../list.js";
import { devicePath, kindOf, stateOf } from "../parts.js";
import { refreshed, trouble } from "../refresh.js";
import { listDevices, MOST_DEVICES } from "../source.js";

const EVERY_MS = 10000;
const TYPED_MS = 150;
const RANKS = { bad: 0, warn: 1, "": 2, ok: 3 };
const byName = new Intl.Collator("en", { numeric: true }).compare; // slow: done once, when the devices come
const ORDERS = {
  name: ["by name", null],
  worst: ["worst first", (a, b) => RANKS[kindOf(a.status)] - RANKS[kindOf(b.status)]],
  slow: ["slowest first", (a, b) => (b.duration_ms ?? -1) - (a.duration_ms ?? -1)],
  old: ["longest without a poll", (a, b) => (epoch(a.slot) ?? 0) - (epoch(b.slot) ?? 0)],
};
const KINDS = [["", "every state"], ["ok", "ok"], ["warn", "partial or expired"], ["bad", "failed"], ["none", "not known"]];

export function devices() {
  const view = { all: [], next: null, site: given("site") };
  const search = h("input", { id: "search", type: "search", class: "input search", placeholder: "Search name, address, site, role   ( / )",
    "aria-label": "Search devices", spellcheck: "false", autocomplete: "off" });
  const kind = picker("State", KINDS);
  const site = picker("Site", [["", "every site"]]);
  const order = picker("Order", Object.entries(ORDERS).map(([name, [words]]) => [name, words]));
  const told = h("p", { class: "muted small", role: "status" }, "Reading the devices…");
  const wrong = trouble();
  const list = virtualList("Devices", { head: ["Device", "State", "took", "Site", "Role", "Address", "last poll"],
    make: deviceRow, open: (device) => (location.hash = devicePath(device.name)) });
  const node = h("div", {}, h("div", { class: "page-head filters" }, h("h1", {}, "Devices"), search, kind, site, order), wrong.node, list.node, told);
  list.node.classList.add("devices");

  const draw = () => {
    const found = filtered(view.all, { text: search.value, kind: kind.value, site: site.value });
    const before = ORDERS[order.value][1];
    list.show(before ? found.sort(before) : found); // those that are alike stay in the order of their names
    setText(told, inWords(found.length, view));
  };
  const show = ({ lines, next }) => {
    wrong.say(null);
    Object.assign(view, { all: lines.sort((a, b) => byName(a.name, b.name)), next });
    offerSites(site, lines, view.site);
    draw();
  };
  const asked = refreshed((signal) => listDevices(view.next ? search.value : "", signal), show, EVERY_MS, wrong.say);
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => (view.next ? asked.now() : draw()), TYPED_MS);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && list.current()) location.hash = devicePath(list.current().name);
    if (event.key === "ArrowDown") event.preventDefault(), list.node.focus();
  });
  for (const each of [kind, site, order]) each.addEventListener("change", draw);
  return { node, title: "Devices", end: () => (asked.end(), list.end(), clearTimeout(timer)) };
}

/** A value that the address of the page asks for: #/devices/?site=… */
const given = (name) => new URLSearchParams(location.hash.split("?")[1] ?? "").get(name) ?? "";

const picker = (label, options) =>
  h("select", { class: "select", "aria-label": label }, options.map(([value, words]) => h("option", { value }, words)));

function offerSites(select, lines, wanted) {
  const names = [...new Set(lines.map((device) => device.site).filter(Boolean))].sort();
  if (select.options.length === names.length + 1) return;
  const chosen = select.value || wanted;
  select.replaceChildren(h("option", { value: "" }, "every site"), ...names.map((name) => h("option", { value: name }, name)));
  select.value = names.includes(chosen) ? chosen : "";
}

function filtered(all, { text, kind, site }) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((device) => {
    if (kind && (kind === "none" ? kindOf(device.status) !== "" : kindOf(device.status) !== kind)) return false;
    if (site && device.site !== site) return false;
    if (!words.length) return true;
    const said = `${device.name} ${device.address} ${device.site ?? ""} ${device.role ?? ""} ${device.vendor ?? ""} ${device.status ?? ""}`.toLowerCase();
    return words.every((word) => said.includes(word));
  });
}

function inWords(found, { all, next }) {
  const of = next ? `the first ${count(all.length)}: search asks the server for others` : count(all.length);
  return all.length ? `${count(found)} of ${of}` : "No device is known yet: a coordinator that leads writes down what its inventory lists.";
}

function deviceRow() {
  const state = stateOf("");
  const [name, took, site, role, address, when] = ["device-name", "number took", "site-cell", "role-cell", "number address-cell muted", "when-cell muted"]
    .map((kind) => h("span", { class: kind, role: "gridcell" }));
  const stateCell = h("span", { class: "state-cell", role: "gridcell" }, state.node);
  const node = h("div", { class: "device" }, name, stateCell, took, site, role, address, when);
  const update = (device) => {
    setText(name, device.name);
    state.set(device.status, device.status ?? "not known");
    state.node.title = device.error ?? "";
    setText(took, millis(device.duration_ms));
    setText(site, device.site || "–");
    setText(role, device.role || "–");
    setText(address, device.address ?? "–");
    setText(when, device.slot ? ago(device.slot) : "never");
  };
  return { node, update };
}

