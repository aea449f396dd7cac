/** The page: its frame, which view is shown, keys, theme, and whether it is connected. */

import { useToken } from "./api.js";
import { redrawAll } from "./chart.js";
import { line, say } from "./dialogs.js";
import { h, setAttribute, setShown, setText } from "./dom.js";
import { span, total } from "./format.js";
import { icon } from "./icons.js";
import { shortcuts } from "./keys.js";
import { listen, state, summed, take } from "./store.js";
import { Stream } from "./stream.js";
import { askWho, readOnly } from "./who.js";
import { dead } from "./views/dead.js";
import { device } from "./views/device.js";
import { devices } from "./views/devices.js";
import { events } from "./views/events.js";
import { jobs } from "./views/jobs.js";
import { overview } from "./views/overview.js";
import { workers } from "./views/workers.js";

const PAGES = [
  ["", "overview", "Overview", "o", overview],
  ["devices", "devices", "Devices", "d", devices],
  ["workers", "workers", "Workers", "w", workers],
  ["events", "events", "Events", "e", events],
  ["jobs", "jobs", "Jobs", "j", jobs],
  ["dead", "dead", "Dead letters", "x", dead],
];
const STALE_S = 5; // without a snapshot the figures are no longer now's

const main = document.getElementById("main");
let shown = null;

// -- pages

const badge = h("span", { class: "badge", hidden: true });
for (const [path, name, title] of PAGES)
  document.getElementById("nav").append(
    h("a", { href: `#/${path}`, "data-page": path }, icon(name), titled(title), path === "dead" ? badge : null));

/** A page's name; only its first word where there is no room. */
function titled(title) {
  const [first, ...others] = title.split(" ");
  return h("span", {}, first, others.length ? h("span", { class: "wide-inline" }, ` ${others.join(" ")}`) : null);
}

function show() {
  const [path, ...rest] = location.hash.replace(/^#\/?|\?.*/g, "").split("/");
  const page = PAGES.find(([name]) => name === path) ?? PAGES[0];
  const argument = decoded(rest.join("/"));
  shown?.end();
  shown = page[0] === "devices" && argument ? device(argument) : page[4]();
  main.replaceChildren(shown.node);
  document.title = `${shown.title ?? page[2]} · streampoll`;
  for (const link of document.querySelectorAll("#nav a"))
    setAttribute(link, "aria-current", link.dataset.page === page[0] ? "page" : null);
  window.scrollTo(0, 0);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

window.addEventListener("hashchange", () => {
  show();
  main.focus({ preventScroll: true });
});

// -- theme

function otherTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("streampoll-theme", root.dataset.theme);
  } catch {
    // no storage: it lasts as long as the page
  }
  redrawAll();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

// -- keys

const go = (path) => () => (location.hash = `#/${path}`);
const keys = shortcuts([
  ...PAGES.map(([path, , title, key]) => [`g ${key}`, title.toLowerCase(), go(path)]),
  ["/", "search devices", search],
  ["p", "freeze the figures, or let them go on", freeze],
  ["t", "light or dark", otherTheme],
  ["?", "this help", () => keys.help()],
]);

function search() {
  if (!location.hash.startsWith("#/devices")) location.hash = "#/devices";
  setTimeout(() => document.getElementById("search")?.focus());
}

function freeze() {
  state.frozen = !state.frozen;
  connected();
}

// -- connection

const connection = h("span", { class: "connection", role: "status", "data-state": "connecting" }, "connecting");
const notice = document.getElementById("notice");
document.getElementById("top-end").append(
  readOnly,
  connection,
  h("button", { type: "button", class: "icon-button", "aria-label": "Light or dark", title: "Light or dark (t)", onclick: otherTheme }, icon("theme")),
  h("button", { type: "button", class: "icon-button", "aria-label": "Keyboard help", title: "Keyboard help (?)", onclick: () => keys.help() }, icon("help")));

function connected() {
  const silent = state.heard ? (Date.now() - state.heard) / 1000 : 0;
  const live = state.connection === "connected" && silent < STALE_S;
  const kind = state.frozen ? "frozen" : live ? "connected" : state.connection === "connected" ? "connecting" : state.connection;
  setAttribute(connection, "data-state", kind);
  setText(connection, { frozen: "frozen", connected: "live", refused: "no access" }[kind] ?? "not connected");
  notice.classList.toggle("quiet", kind === "frozen");
  setShown(notice, kind !== "connected" && (state.heard > 0 || kind === "refused"));
  setText(notice, said(kind, silent));
}

function said(kind, silent) {
  if (kind === "frozen") return "Frozen: the figures stand still. Press p to let them go on.";
  if (kind === "refused") return "The server wants a token.";
  return `Not connected: what you see is ${span(silent)} old. Trying again.`;
}

let asking = false;
document.addEventListener("unauthorized", async () => {
  if (asking) return;
  asking = true;
  const token = await line("Who are you?", "This server wants a token. It is kept until this tab is closed.", "Token", "Go on", "password");
  asking = false;
  if (!token) return say("Without a token nothing can be shown.", "error");
  useToken(token.trim());
  askWho();
  stream.start();
  show();
});

const stream = new Stream("/api/v1/stream", heard, (now) => ((state.connection = now), connected()));
function heard(name, data) {
  if (name === "stats") take(JSON.parse(data).stats);
  else document.dispatchEvent(new CustomEvent(`stream-${name}`, { detail: data }));
  connected();
}
setInterval(connected, 1000);

listen((stats) => {
  const letters = total(stats.queues.map((row) => row.dead));
  setShown(badge, letters > 0);
  setText(badge, letters > 99 ? "99+" : letters ?? "");
  setAttribute(badge, "aria-label", `${letters} dead letters`);
  document.body.dataset.polls = summed(stats, "polling", "rate_per_s") ?? "";
});

// a page that the browser keeps for "back" would hold its connection, of which there are six to a server
window.addEventListener("pagehide", () => (stream.stop(), shown?.end()));
window.addEventListener("pageshow", (event) => event.persisted && (show(), stream.start()));

askWho();
show();
stream.start();
