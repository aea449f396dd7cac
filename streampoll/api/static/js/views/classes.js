/** Queue classes: what each holds, and whether workers read it; paused, let go on. */

import { acted, line } from "../dialogs.js";
import { card, empty, h, keep, setShown, setText } from "../dom.js";
import { count, rate, seconds, short, span } from "../format.js";
import { cells, stateOf, table } from "../parts.js";
import { pauseClass, resumeClass } from "../source.js";
import { oldest, summed } from "../store.js";
import { acting } from "../who.js";

const HEADS = [["Class"], ["State"], ["waiting", "number"], ["in flight", "number wide"], ["oldest", "number wide"], ["delayed", "number wide"], ["dead", "number wide"],
  ["done/s", "number wide"], ["", null, "Actions"]];
const NAMES = ["", "wrap", "number", "number wide", "number wide", "number wide", "number wide", "number wide", "actions"];

export function classesCard() {
  const { node: grid, body } = table("Queue classes", HEADS);
  const nothing = empty("Not known: Redis can't be read.");
  const node = card("Queue classes", {}, grid, nothing);
  const update = (stats) => {
    const names = [...new Set(stats.queues.map((row) => row.queue))];
    setShown(grid, names.length);
    setShown(nothing, !names.length);
    keep(body, names.map((name) => ofClass(stats, name)), (each) => each.name, classRow);
  };
  return { node, update };
}

function ofClass(stats, name) {
  const of = (figure) => summed(stats, name, figure);
  return { name, paused: (stats.pauses ?? []).find((each) => each.kind === "queue" && each.name === name) ?? null, waiting: of("waiting"), held: of("in_flight"),
    oldest: oldest(stats, name), delayed: of("delayed"), dead: of("dead"), rate: of("rate_per_s") };
}

function classRow({ name }) {
  const node = h("tr", {});
  const [fill, state, why] = [cells(node, NAMES), stateOf(""), h("span", { class: "muted small" })];
  const verb = acting("Pause", () => pauseOrResume(name, verb.dataset.verb));
  const said = h("span", { class: "stacked" }, state.node, why);
  const update = (now) => {
    state.set(now.paused ? "paused" : "active", now.paused ? "paused" : "active");
    setText(why, now.paused ? `by ${now.paused.by}, ${span(now.paused.since_s)} ago${now.paused.reason ? `: ${now.paused.reason}` : ""}` : "");
    verb.dataset.verb = now.paused ? "resume" : "pause";
    setText(verb, now.paused ? "Resume" : "Pause");
    fill([name, said, short(now.waiting), short(now.held), seconds(now.oldest), count(now.delayed), [count(now.dead), now.dead > 0 ? "alarm bad" : ""],
      rate(now.rate), verb]);
  };
  return { node, update };
}

async function pauseOrResume(name, verb) {
  if (verb === "resume") return acted(() => resumeClass(name), `Workers read ${name} again, within seconds.`);
  const words = `Workers read nothing of ${name}, within two seconds, until somebody resumes it. What they have in hand is finished; what comes waits in Redis.`;
  const reason = await line(`Pause class ${name}?`, words, "Reason (others are shown it)", "Pause");
  return reason !== null && acted(() => pauseClass(name, reason), `${name} is paused, within seconds.`);
}
