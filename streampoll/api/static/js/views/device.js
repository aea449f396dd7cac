/** One device: what it is, when it is due, how its polls went, what it said last, its interfaces and their rates. */

import { acted } from "../dialogs.js";
import { card, empty, h, keep, setShown, setText } from "../dom.js";
import { clock, count, epoch, span } from "../format.js";
import { stateOf } from "../parts.js";
import { refreshed, trouble } from "../refresh.js";
import { lastValues, oneDevice, polls, rates, runNow } from "../source.js";
import { acting } from "../who.js";
import { eventsOf } from "./events.js";
import { interfaces } from "./interfaces.js";
import { addOne } from "./maintenance.js";
import { pollHistory } from "./polls.js";
import { rateChart } from "./rates.js";
import { valueCards } from "./values.js";

const EVERY_MS = 5000;
const VALUES_MS = 15000;
const SINCE = "6h";

export function device(name) {
  const [head, jobs, learned, past, chart, values] = [heading(name), jobsCard(), learnedCard(), pollHistory(), rateChart(), valueCards()];
  const ports = interfaces((row) => chart.choose(row));
  const happened = eventsOf(name);
  const wrong = trouble();
  const known = { last: null, rates: null };
  const node = h("div", {}, head.node, wrong.node,
    h("div", { class: "grid" }, past.node, jobs.node, learned.node, happened.node, ports.node, chart.node, values.node));
  const drawTables = () => ports.update(known.last, known.rates);
  const describe = async (signal) => {
    const report = await oneDevice(name, signal);
    wrong.say(null);
    for (const part of [head, jobs, learned]) part.update(report);
    return lastValues(name, report.jobs.map((job) => job.job), signal);
  };
  const asked = [
    refreshed(describe, (data) => ((known.last = data), values.update(data), drawTables()), VALUES_MS, wrong.say),
    refreshed((signal) => polls(name, SINCE, signal), (data) => (past.update(data), head.last(data.polls[0])), EVERY_MS, past.failed),
    refreshed((signal) => rates(name, SINCE, signal), (data) => ((known.rates = data), chart.update(data), drawTables()), VALUES_MS, chart.failed),
  ];
  return {
    node,
    title: name,
    end: () => {
      chart.end();
      happened.end();
      for (const each of asked) each.end();
    },
  };
}

function heading(name) {
  const state = stateOf("");
  const facts = h("dl", { class: "facts" });
  const run = acting("Poll now", () => acted(() => runNow({ devices: [name] }), `${name} is polled now.`), "");
  const quiet = acting("Maintenance", () => addOne(name), "");
  const node = h("div", { class: "device-head" },
    h("p", { class: "small" }, h("a", { href: "#/devices" }, "← Devices")),
    h("div", { class: "page-head" }, h("h1", { class: "clip" }, name), state.node, h("div", { class: "end buttons-row" }, quiet, run)), facts);
  const update = (report) => keep(facts, factsOf(report), ([word]) => word, fact);
  const last = (poll) => state.set(poll?.status ?? "", poll ? `${poll.status}, ${clock(poll.slot)}` : "no poll of the last hours is stored");
  return { node, update, last };
}

const factsOf = (report) => [
  ["address", report.port ? `${report.address}:${report.port}` : report.address], ["site", report.site], ["role", report.role],
  ["vendor", report.vendor], ["profile", report.profile], ["behind", report.parent], ["groups", (report.groups ?? []).join(", ")],
  ["tags", (report.tags ?? []).join(", ")], ["shard", report.shard === undefined ? "" : String(report.shard).padStart(2, "0")],
].filter(([, text]) => text);

function fact() {
  const [word, text] = [h("dt", {}), h("dd", {})];
  return { node: h("div", {}, word, text), update: ([name, value]) => (setText(word, name), setText(text, value)) };
}

function jobsCard() {
  const list = h("ul", { class: "plain" });
  const nothing = empty("No job polls it.");
  nothing.hidden = true;
  const node = card("Polled by", { class: "half" }, list, nothing);
  const update = (report) => {
    const jobs = report.jobs ?? [];
    setShown(nothing, !jobs.length);
    keep(list, jobs, (job) => job.job, jobLine);
  };
  return { node, update };
}

function jobLine() {
  const [name, words] = [h("strong", {}), h("span", { class: "muted small" })];
  const node = h("li", {}, name, h("br", {}), words);
  const update = (job) => {
    const next = epoch(job.next_slot);
    setText(name, job.job);
    setText(words, [job.schedule, job.profile && `profile ${job.profile}`, next ? `next ${clock(next)}` : null].filter(Boolean).join(" · ") || "–");
  };
  return { node, update };
}

const NUMBERS = { varbinds: (value) => `asked for at most ${count(value)} values a request` };

function learnedCard() {
  const list = h("ul", { class: "plain" });
  const nothing = empty("Nothing was learned of it: it is polled like any other.");
  nothing.hidden = true;
  const node = card("Learned of it", { class: "half" }, list, nothing);
  const update = (report) => {
    const learned = report.learned;
    setText(nothing, learned ? "Nothing was learned of it: it is polled like any other." : "Not known: Redis could not be asked.");
    setShown(nothing, !learned?.length);
    keep(list, learned ?? [], (each) => each.protocol, learnedLine);
  };
  return { node, update };
}

function learnedLine() {
  const [name, words] = [h("strong", {}), h("span", { class: "muted small" })];
  const node = h("li", {}, name, h("br", {}), words);
  const update = (learned) => {
    setText(name, learned.protocol.toUpperCase());
    setText(words, learnedWords(learned).join(" · ") || "–");
  };
  return { node, update };
}

function* silence({ silent_polls: silent, silent_since: since }) {
  if (!silent) return;
  const long = epoch(since) ? ` for ${span(Date.now() / 1000 - epoch(since))}` : "";
  yield `silent${long}, at least ${count(silent)} polls: it gets one request a poll until it answers`;
}

const learnedWords = (learned) => [
  ...(learned.credential ? [`credential ${learned.credential} worked, and is tried first`] : []),
  ...Object.entries(learned.numbers ?? {}).map(([name, value]) => NUMBERS[name]?.(value) ?? `${name}: ${value}`),
  ...silence(learned),
];
