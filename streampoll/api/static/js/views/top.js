/** The slowest devices, and those that fail most, over the last ten minutes. */

import { card, empty, h, keep, setShown } from "../dom.js";
import { count, millis, share } from "../format.js";
import { cells, deviceLink, stateOf, table } from "../parts.js";
import { refreshed, trouble } from "../refresh.js";
import { top } from "../source.js";

const EVERY_MS = 10000;
const LISTS = {
  slow: {
    title: "Slowest devices", heads: [["Device"], ["Site", "wide"], ["p50", "number"], ["longest", "number"], ["polls", "number wide"]],
    names: ["clip-cell", "wide muted", "number", "number", "number wide"], none: "No poll of the last ten minutes is stored.",
    row: (line, link) => [link, line.site || "–", millis(line.duration_p50_ms), millis(line.duration_max_ms), count(line.polls)],
  },
  failing: {
    title: "Failing devices", heads: [["Device"], ["Site", "wide"], ["last"], ["failed", "number"], ["polls", "number wide"]],
    names: ["clip-cell", "wide muted", "", "number", "number wide"], none: "No poll of the last ten minutes failed.",
    row: (line, link, state) => [link, line.site || "–", state, share(line.failed, line.polls), count(line.polls)],
  },
};

export function topDevices(by) {
  const { title, heads, names, none, row } = LISTS[by];
  const { node: grid, body } = table(title, heads);
  const [nothing, wrong] = [empty(none), trouble()];
  const node = card(title, { class: "half" }, wrong.node, grid, nothing);
  const show = ({ devices }) => {
    wrong.say(null);
    setShown(nothing, !devices.length);
    setShown(grid, devices.length);
    keep(body, devices, (line) => line.device, (line) => deviceRow(line, names, row));
  };
  nothing.hidden = true;
  const asked = refreshed((signal) => top(by, signal), show, EVERY_MS, wrong.say);
  return { node, end: asked.end };
}

function deviceRow(line, names, row) {
  const node = h("tr", {});
  const [fill, link, state] = [cells(node, names), deviceLink(line.device), stateOf(line.status)];
  const update = (now) => {
    state.set(now.status);
    state.node.title = now.error ?? "";
    fill(row(now, link, state.node));
  };
  return { node, update };
}
