/**
 * What the views want to know, as the API answers it: the one place that knows its paths and shapes. Views get numbers,
 * null where something is not known, and texts as people read them.
 */

import { get, pages, part, post } from "./api.js";
import { epoch } from "./format.js";

export const MOST_DEVICES = 5000; // that a browser holds; beyond them the server searches
const PAGE = 1000;
const MOST_EVENTS = 500;

export async function listDevices(search, signal) {
  const { lines, next } = await pages("/devices", "devices", { q: search, limit: PAGE }, MOST_DEVICES, signal);
  return { lines: lines.map(withNewest), next };
}

/** A line of the inventory with how its newest poll ended, by whichever job. */
function withNewest(device) {
  const newest = (device.last ?? []).reduce((best, each) => (!best || each.slot > best.slot ? each : best), null);
  return { ...device, status: newest?.status ?? "", duration_ms: newest?.duration_ms ?? null, slot: newest?.slot ?? null };
}

export const sites = (signal) => get("/sites", {}, signal);
export const top = (by, signal) => get("/top", { by, limit: 10 }, signal);

/** The last hours in the shape of the moments that are seen here; where nothing was stored, one without figures. */
export async function pastFigures(hours, signal) {
  const { steps, step_s: length } = await get("/past", { hours }, signal);
  const inSeconds = (ms) => (ms === null ? null : ms / 1000);
  const moments = steps.map((step) => ({
    at: step.at, polls: step.polls_per_s, lateP50: inSeconds(step.late_p50_ms), lateP99: inSeconds(step.late_p99_ms),
    cycleP50: inSeconds(step.cycle_p50_ms), cycleP99: inSeconds(step.cycle_p99_ms),
  }));
  return moments.flatMap((each, place) => (each.at - (moments[place - 1]?.at ?? each.at) > length ? [{ at: each.at - length }, each] : [each]));
}

export async function oneDevice(name, signal) {
  const report = await get(`/devices/${part(name)}`, {}, signal);
  return { ...report.device, ...report };
}

export async function polls(name, since, signal) {
  const found = await get(`/devices/${part(name)}/polls`, { since, limit: 500 }, signal);
  return { polls: found.map((poll) => ({ ...poll, slot: epoch(poll.slot), stored_ms: poll.stored_after_ms })) };
}

/** The newest values of each job that polls a device; a job of which nothing is stored is left out. */
export async function lastValues(name, jobs, signal) {
  const asked = jobs.map((job) => get(`/devices/${part(name)}/last`, { job }, signal).catch(unlessMissing));
  return { polls: (await Promise.all(asked)).filter(Boolean).map(asShown) };
}

function unlessMissing(error) {
  if (error.status === 404) return null;
  throw error;
}

function asShown(poll) {
  const said = (name, value) => (poll.shown[name] ?? value) ?? null;
  const values = Object.entries(poll.values).map(([name, value]) => ({ name, shown: said(name, value), missing: poll.missing[name] }));
  return { job: poll.job, slot: epoch(poll.slot), values, tables: Object.entries(poll.tables).map(([name, rows]) => tableShown(name, rows, poll.incomplete)) };
}

function tableShown(name, rows, incomplete) {
  const columns = [...new Set(Object.values(rows).flatMap(Object.keys))].filter((column) => column !== "shown" && column !== "index");
  const lines = Object.entries(rows).map(([key, row]) => [key, ...columns.map((column) => row.shown?.[column] ?? row[column] ?? null)]);
  return { name, columns: ["", ...columns], rows: lines, complete: !incomplete.includes(name) };
}

/** Rates of the counters of octets, in bits. */
export async function rates(name, since, signal) {
  const found = await get(`/devices/${part(name)}/series`, { since }, signal);
  return { series: found.map((each) => ({ ...each, bits: /octets|bytes/i.test(each.column) })) };
}

/** Events that are open ("open"), or all of the last day ("all"); of one device, or of all (""). */
export async function listEvents(state, device, signal) {
  const span = state === "open" ? { open: true, since: "365d" } : { since: "1d" };
  return { events: await get("/events", { ...span, device, limit: MOST_EVENTS }, signal) };
}
export const acknowledge = (id, note) => post(`/events/${part(id)}/acknowledge`, { note });

export const whoami = () => get("/whoami");

export const listWindows = async (signal) => ({ windows: await get("/maintenance", {}, signal) });
export const addWindow = (select, length, reason) => post("/maintenance", { select, duration_s: length, reason });
export const endWindow = (id) => post(`/maintenance/${part(String(id))}/end`);
export const knowsDevice = (name) => get(`/devices/${part(name)}`);

export const pauseClass = (queue, reason) => post(`/queues/${part(queue)}/pause`, { reason });
export const resumeClass = (queue) => post(`/queues/${part(queue)}/resume`);

export const listJobs = async (signal) => ({ jobs: await get("/jobs", {}, signal) });
export const pause = (job, reason) => post(`/jobs/${part(job)}/pause`, { reason });
export const resume = (job) => post(`/jobs/${part(job)}/resume`);
export const runNow = (order) => post("/run", order);

const MOST_LETTERS = 1000;

export async function deadLetters(signal) {
  const letters = await get("/dead-letters", { limit: MOST_LETTERS }, signal);
  return { letters, more: letters.length === MOST_LETTERS };
}

export const requeue = (names) => post("/dead-letters/requeue", { names });
