/**
 * What the views want to know, as the API answers it: the one place that knows its paths and shapes. Views get numbers,
 * null where something is not known, and texts as people read them.
 */

import { get, pages, part, post } from "./api.js";
import { epoch } from "./format.js";

export const MOST_DEVICES = 5000; // that a browser holds; beyond them the server searches
const PAGE = 1000;

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

/** The last hours in the shape of the moments that are seen here. */
export async function pastFigures(hours, signal) {
  const { steps } = await get("/past", { hours }, signal);
  const inSeconds = (ms) => (ms === null ? null : ms / 1000);
  return steps.map((step) => ({
    at: step.at, polls: step.polls_per_s, lateP50: inSeconds(step.late_p50_ms), lateP99: inSeconds(step.late_p99_ms),
    cycleP50: inSeconds(step.cycle_p50_ms), cycleP99: inSeconds(step.cycle_p99_ms),
  }));
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

export const rates = (name, since, signal) => get(`/devices/${part(name)}/rates`, { since }, signal);

export const openEvents = (state, signal) => get("/events", { state, limit: 500 }, signal);
export const acknowledge = (id, note) => post(`/events/${part(id)}/acknowledge`, { note });

export const listJobs = (signal) => get("/jobs", {}, signal);
export const jobAction = (job, action) => post(`/jobs/${part(job)}/${action}`);

export const deadLetters = (signal) => get("/dead", { limit: 500 }, signal);
export const requeue = (names) => post("/dead/requeue", { names });
