/** Jobs: what is polled when, how late; paused, let go on, run now. */

import { acted, line, sure } from "../dialogs.js";
import { card, empty, h, keep, setShown, setText } from "../dom.js";
import { ago, count, seconds, short } from "../format.js";
import { cells, stateOf, table } from "../parts.js";
import { refreshed, trouble } from "../refresh.js";
import { listJobs, pause, resume, runNow } from "../source.js";
import { acting } from "../who.js";

const EVERY_MS = 3000;
const HEADS = [["Job"], ["State"], ["Schedule", "wide"], ["devices", "number wide"], ["open", "number wide"], ["skipped", "number wide"], ["late p50", "number wide"],
  ["late p99", "number"], ["cycle p99", "number wide"], ["", null, "Actions"]];
const NAMES = ["", "wrap", "wide", "number wide", "number wide", "number wide", "number wide", "number", "number wide", "actions"];

export function jobs() {
  const { node: grid, body } = table("Jobs", HEADS);
  const [nothing, wrong] = [empty("There is no job."), trouble()];
  const node = h("div", {}, h("div", { class: "page-head" }, h("h1", {}, "Jobs")), card("What is polled when", {}, wrong.node, grid, nothing));
  nothing.hidden = true;
  const show = (data) => {
    wrong.say(null);
    setShown(nothing, !data.jobs.length);
    setShown(grid, data.jobs.length);
    keep(body, data.jobs, (job) => job.job, (job) => jobRow(job, asked));
  };
  const asked = refreshed(listJobs, show, EVERY_MS, wrong.say);
  return { node, title: "Jobs", end: asked.end };
}

function jobRow(job, asked) {
  const node = h("tr", {});
  const [fill, mark, why] = [cells(node, NAMES), stateOf(""), h("span", { class: "muted small" })];
  const said = h("span", { class: "stacked" }, mark.node, why);
  const run = acting("Run now", () => runJob(job.job, asked));
  const stop = acting("Pause", () => pauseOrResume(job.job, stop.dataset.verb, asked));
  const buttons = h("span", { class: "buttons" }, run, stop);
  const update = (now) => {
    const word = now.paused ? "paused" : now.enabled ? "active" : "";
    mark.set(word, word || "not enabled");
    setText(why, now.paused ? `by ${now.paused.by}, ${ago(now.paused.since)}${now.paused.reason ? `: ${now.paused.reason}` : ""}` : "");
    stop.dataset.verb = now.paused ? "resume" : "pause";
    setText(stop, now.paused ? "Resume" : "Pause");
    fill([now.job, said, now.schedule, short(now.devices), short(now.unfinished), [count(now.skipped), now.skipped > 0 ? "alarm" : ""],
      seconds(now.lateness_p50_s), seconds(now.lateness_p99_s), seconds(now.cycle_p99_s), buttons]);
  };
  return { node, update };
}

async function pauseOrResume(job, verb, asked) {
  if (verb === "resume") return (await acted(() => resume(job), `${job} goes on.`)) && asked.now();
  const words = `Nothing of ${job} is dispatched until somebody resumes it. What is open is finished.`;
  const reason = await line(`Pause ${job}?`, words, "Reason (others are shown it)", "Pause");
  if (reason !== null && (await acted(() => pause(job, reason), `${job} is paused.`))) asked.now();
}

async function runJob(job, asked) {
  if (!(await sure(`Run ${job} now?`, "Each of its devices is polled once more, besides its schedule.", "Run now"))) return;
  if (await acted(() => runNow({ job }), `${job} runs now.`)) asked.now();
}
