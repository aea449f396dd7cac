/** Everything that is asked of the server, under /api/v1. A failure is an ApiError with a sentence for people. */

const BASE = "/api/v1";
const TOKEN = "streampoll-token"; // in sessionStorage: gone with the tab, never in a URL

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Keep the token that requests carry; "" forgets it. */
export function useToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

/** Headers of every request. */
export function headers(more = {}) {
  const token = sessionStorage.getItem(TOKEN);
  return { ...more, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
}

/** Ask for something; null parameters are left out. */
export async function get(path, parameters = {}, signal = undefined) {
  return answered(await sent(BASE + path + query(parameters), { headers: headers(), signal }));
}

/** Have something done. */
export async function post(path, body = {}) {
  const options = { method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(body) };
  return answered(await sent(BASE + path, options));
}

/** Read all pages of a list, at most `most` of its lines; `next` tells whether there are more. */
export async function pages(path, name, parameters, most, signal) {
  const lines = [];
  let after = null;
  do {
    const page = await get(path, { ...parameters, after }, signal);
    lines.push(...page[name]);
    after = page.after ?? null;
  } while (after && lines.length < most);
  return { lines, next: after };
}

/** A part of a path. */
export const part = (text) => encodeURIComponent(text);

function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

async function sent(url, options) {
  try {
    return await fetch(url, { ...options, credentials: "same-origin", cache: "no-store", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the server does not answer");
  }
}

async function answered(response) {
  if (response.ok) return response.status === 204 ? null : response.json();
  if (response.status === 401) document.dispatchEvent(new CustomEvent("unauthorized"));
  throw new ApiError(response.status, await reason(response));
}

/** The sentence of a problem document (RFC 9457), or what can be said without one. */
async function reason(response) {
  try {
    const problem = await response.json();
    return problem.detail || problem.title || `the server answered ${response.status}`;
  } catch {
    return `the server answered ${response.status}`;
  }
}
