/** Fleet health by site: how the last poll of each device ended. */

import { empty, h, keep, setAttribute, setShown, setText } from "../dom.js";
import { count, share } from "../format.js";
import { refreshed, trouble } from "../refresh.js";
import { sites } from "../source.js";

const EVERY_MS = 10000;
const KINDS = [["ok", "ok"], ["partial", "partial"], ["failed", "failed"], ["unknown", "not known"]];
const MOST = 60;

export function fleet() {
  const list = h("div", { class: "sites" });
  const none = empty("No device has a site, or none is known yet.");
  const more = h("p", { class: "muted small", hidden: true });
  const wrong = trouble();
  const legend = h("p", { class: "legend end" }, KINDS.map(([kind, words]) => h("span", { "data-kind": kind }, words)));
  const node = h("section", { class: "card", "aria-label": "Fleet health by site" },
    h("div", { class: "card-head" }, h("h2", {}, "Fleet health by site"), legend), wrong.node, list, none, more);
  const show = (data) => {
    wrong.say(null);
    const worstFirst = [...data.sites].sort((a, b) => b.failed / b.devices - a.failed / a.devices || b.devices - a.devices);
    setShown(none, !worstFirst.length);
    setShown(more, worstFirst.length > MOST);
    setText(more, `and ${count(worstFirst.length - MOST)} more sites, all better than these`);
    keep(list, worstFirst.slice(0, MOST), (site) => site.site, siteTile);
  };
  const asked = refreshed(sites, show, EVERY_MS, wrong.say);
  return { node, end: asked.end };
}

function siteTile({ site }) {
  const [name, figures] = [h("span", { class: "clip site-name" }), h("span", { class: "number muted" })];
  const bars = KINDS.map(([kind]) => h("span", { "data-kind": kind }));
  const node = h("a", { class: "site", href: `#/devices/?site=${encodeURIComponent(site)}` },
    h("span", { class: "site-head" }, name, figures), h("span", { class: "site-bar", "aria-hidden": "true" }, bars));
  const update = (now) => {
    setText(name, now.site || "no site");
    setText(figures, `${share(now.ok, now.devices - now.unknown)} ok of ${count(now.devices)}`);
    KINDS.forEach(([kind], place) => (bars[place].style.flexGrow = String(now[kind] ?? 0)));
    setAttribute(node, "title", KINDS.map(([kind, words]) => `${count(now[kind])} ${words}`).join(", "));
    setAttribute(node, "data-bad", now.failed > 0 ? "true" : null);
  };
  return { node, update };
}
