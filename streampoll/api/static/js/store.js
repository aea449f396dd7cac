/** What is known now: the newest figures, some minutes of those before, and who wants to hear of new ones. */

import { most, total } from "./format.js";

const KEPT_S = 3600;

const listeners = new Set();
const moments = []; // {at, polls, lateP50, …} a second, the oldest first

export const state = { stats: null, heard: 0, connection: "connecting", frozen: false };

/** Call `listener(stats)` at each new snapshot, and now if there is one; returns what ends that. */
export function listen(listener) {
  listeners.add(listener);
  if (state.stats) listener(state.stats);
  return () => listeners.delete(listener);
}

/** Take on a snapshot. */
export function take(stats) {
  state.heard = Date.now();
  if (state.frozen) return;
  state.stats = stats;
  if (stats.at > (moments.at(-1)?.at ?? 0)) moments.push(moment(stats));
  while (moments.length && moments[0].at < stats.at - KEPT_S) moments.shift();
  for (const listener of listeners) listener(stats);
}

/** The moments since the page was opened, the oldest first. */
export const history = () => moments;

/** The sum of a figure over the shards of a class. */
export const summed = (stats, queue, figure) =>
  total(stats.queues.filter((row) => row.queue === queue).map((row) => row[figure]));

/** The oldest entry of a class; null where there is none, or it is not known. */
export const oldest = (stats, queue) =>
  most(stats.queues.filter((row) => !queue || row.queue === queue).map((row) => row.oldest_s));

/**
 * Polls dispatched a second, over the last seconds: what was done and what the depth grew by. Worked out, since nobody
 * publishes it; null until there are two moments.
 */
export function dispatchRate() {
  const recent = moments.slice(-11);
  const [first, last] = [recent[0], recent.at(-1)];
  if (recent.length < 2 || first.depth === null || last.depth === null || last.polls === null) return null;
  const grown = (last.depth - first.depth) / (last.at - first.at);
  const done = total(recent.map((each) => each.polls));
  return done === null ? null : Math.max(0, done / recent.length + grown);
}

function moment(stats) {
  const jobs = (figure) => most(stats.jobs.map((job) => job[figure]));
  const polling = (figure) => summed(stats, "polling", figure);
  return {
    at: stats.at,
    polls: polling("rate_per_s"),
    depth: total([polling("waiting"), polling("in_flight")]),
    results: summed(stats, "results", "waiting"),
    lateP50: jobs("lateness_p50_s"),
    lateP99: jobs("lateness_p99_s"),
    cycleP50: jobs("cycle_p50_s"),
    cycleP99: jobs("cycle_p99_s"),
  };
}
