/** One sentence: all is well, or what is not; below it each thing that wants a look. */

import { h, keep, setAttribute, setShown, setText } from "../dom.js";
import { clock, count, most, seconds, span, total } from "../format.js";
import { oldest } from "../store.js";

const OLD_S = 30;

export function verdict() {
  const title = h("h1", {}, "Waiting for the first figures");
  const aside = h("p", { class: "muted" }, "…");
  const list = h("ul", { class: "wants", hidden: true });
  const node = h("section", { class: "verdict", "data-kind": "unknown", "aria-label": "State" },
    h("div", {}, title, aside), list);
  const update = (stats) => {
    const wants = wanting(stats);
    setAttribute(node, "data-kind", wants.length ? (wants.some(([, bad]) => bad) ? "bad" : "warn") : "ok");
    setText(title, wants.length ? inWords(wants.length) : "All is well");
    setText(aside, leading(stats));
    setShown(list, wants.length > 0);
    keep(list, wants, ([words]) => words.replace(/[\d.,]+/g, "#"), wish);
  };
  return { node, update };
}

function wish() {
  const node = h("li", {});
  return { node, update: ([words, bad]) => (setText(node, words), setAttribute(node, "class", bad ? "bad" : null)) };
}

/** What a person should look at: [[sentence, whether it is bad]]. */
export function wanting(stats) {
  const found = stats.troubles.map((line) => [line, true]);
  if (!stats.troubles.length && !stats.leader) found.push(["Nobody leads: nothing is dispatched. Start a coordinator.", true]);
  if (!stats.troubles.length && !stats.workers.length) found.push(["No worker is alive: nothing is polled.", true]);
  for (const state of ["silent", "deaf"]) {
    const those = stats.workers.filter((worker) => worker.state === state).length;
    if (those) found.push([`${count(those)} ${those === 1 ? "worker is" : "workers are"} ${state === "silent" ? "silent: no heartbeat" : "deaf: beating, but reading nothing"}.`, true]);
  }
  const age = oldest(stats, "polling");
  if (age > OLD_S) found.push([`The oldest poll has been waiting for ${span(age)}.`, false]);
  const skipped = total(stats.jobs.map((job) => job.skipped));
  if (skipped > 0) found.push([`${count(skipped)} polls were skipped of late: \`streampoll audit\` says why.`, false]);
  const letters = total(stats.queues.map((row) => row.dead));
  if (letters > 0) found.push([`${count(letters)} dead ${letters === 1 ? "letter" : "letters"}: entries that nobody could serve.`, false]);
  return [...found, ...stats.alarms.map((line) => [line, false])];
}

const inWords = (number) => (number === 1 ? "One thing wants a look" : `${number} things want a look`);

function leading(stats) {
  const { leader } = stats;
  const led = leader && `${leader.id} leads${leader.since_s === null ? "" : ` for ${span(leader.since_s)}`}`;
  return [sized(stats), led, `as of ${clock(stats.at)}`].filter(Boolean).join(" · ");
}

/** How much is polled, and how late the latest are. */
function sized(stats) {
  const polls = total(stats.jobs.map((job) => job.devices));
  const late = most(stats.jobs.map((job) => job.lateness_p99_s));
  return polls === null ? "" : `${count(polls)} polls a round${late === null ? "" : `, 99 % stored within ${seconds(late)}`}`;
}
