/** Jobs: what is polled when, how late; paused, let go on, run now. */

import { acted, sure } from "../dialogs.js";
import { card, empty, h, keep, setShown, setText } from "../dom.js";
import { count, seconds, short, span } from "../format.js";
import { cells, stateOf, table } from "../parts.js";
import { refreshed, trouble } from "../refresh.js";
import { jobAction, listJobs } from "../source.js";
import { state } from "../store.js";

const EVERY_MS = 3000;
const HEADS = [["Job"], ["State"], ["Schedule", "wide"], ["devices", "number"], ["open", "number wide"], ["skipped", "number wide"], ["late p50", "number wide"],
  ["late p99", "number"], ["cycle p99", "number wide"], ["", null, "Actions"]];
const NAMES = ["", "", "wide", "number", "number wide", "number wide", "number wide", "number", "number wide", "actions"];

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
  const [fill, mark] = [cells(node, NAMES), stateOf("")];
  const run = h("button", { type: "button", class: "button slim", onclick: () => runNow(job.job, asked) }, "Run now");
  const pause = h("button", { type: "button", class: "button slim", onclick: () => pauseOrResume(job.job, pause.dataset.verb, asked) }, "Pause");
  const buttons = h("span", { class: "buttons" }, run, pause);
  const update = (now) => {
    const figures = state.stats?.jobs.find((row) => row.job === now.job) ?? {};
    mark.set(now.paused ? "paused" : now.enabled === false ? "" : "active", now.paused ? "paused" : now.enabled === false ? "not enabled" : "active");
    pause.dataset.verb = now.paused ? "resume" : "pause";
    setText(pause, now.paused ? "Resume" : "Pause");
    fill([now.job, mark.node, now.schedule ?? (figures.interval_s ? `every ${span(figures.interval_s)}` : "–"), short(figures.devices ?? now.devices),
      short(figures.unfinished), [count(figures.skipped), figures.skipped > 0 ? "alarm" : ""], seconds(figures.lateness_p50_s),
      seconds(figures.lateness_p99_s), seconds(figures.cycle_p99_s), buttons]);
  };
  return { node, update };
}

async function pauseOrResume(job, verb, asked) {
  const words = `Nothing of ${job} is dispatched until somebody resumes it. What is open is finished.`;
  if (verb === "pause" && !(await sure(`Pause ${job}?`, words, "Pause"))) return;
  if (await acted(() => jobAction(job, verb), verb === "pause" ? `${job} is paused.` : `${job} goes on.`)) asked.now();
}

async function runNow(job, asked) {
  if (!(await sure(`Run ${job} now?`, "Each of its devices is polled once more, besides its schedule.", "Run now"))) return;
  if (await acted(() => jobAction(job, "run"), `${job} runs now.`)) asked.now();
}
