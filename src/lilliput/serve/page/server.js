/** Requests to `lilliput serve`: JSON, and streams of JSON lines. */

import { askForToken } from "/page/dialogs.js";

/** An error with a message for the user. */
export class ServerError extends Error {}

const SILENT = "The server does not answer. Look whether `lilliput serve` still runs in its window, then try again.";

let token = null;
let asking = null;

function headers(body) {
  const result = body === undefined || body instanceof Blob ? {} : { "Content-Type": "application/json" };
  try {
    token ??= sessionStorage.getItem("lilliput-token");
  } catch {
    // Without storage the token lasts as long as the page.
  }
  if (token) result.Authorization = `Bearer ${token}`;
  return result;
}

async function renewToken(used) {
  if (token !== used) return token !== null;
  const message = used
    ? "The server refused this token. Look at it again."
    : "Only people who know its token may use it.";
  asking ??= askForToken(message).finally(() => {
    asking = null;
  });
  token = await asking;
  try {
    if (token) sessionStorage.setItem("lilliput-token", token);
    else sessionStorage.removeItem("lilliput-token");
  } catch {
    // As above.
  }
  return token !== null;
}

async function failure(reply) {
  let message = `The server answered with status ${reply.status}. Its window may say more.`;
  try {
    message = (await reply.json()).error.message || message;
  } catch {
    // Not JSON: the status has to do.
  }
  return new ServerError(message);
}

async function send(path, { method, body, signal }) {
  for (;;) {
    const sent = headers(body);
    const used = token;
    let reply;
    try {
      reply = await fetch(path, {
        method,
        signal,
        headers: sent,
        body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServerError(SILENT);
    }
    if (reply.ok) return reply;
    if (reply.status !== 401 || !(await renewToken(used))) throw await failure(reply);
  }
}

/** The reply to a request as an object. */
export async function request(path, { method = "GET", body, signal } = {}) {
  const reply = await send(path, { method, body, signal });
  try {
    return await reply.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server sent a reply that this page cannot read. Load the page again.");
  }
}

export function post(path, body, signal) {
  return request(path, { method: "POST", body, signal });
}

function parse(line) {
  let value;
  try {
    value = JSON.parse(line);
  } catch {
    throw new ServerError("The server sent a line that this page cannot read. Load the page again.");
  }
  if (value.error) throw new ServerError(value.error.message ?? "The server stopped with an error.");
  return value;
}

/** The objects of a streamed reply, one by one; an error in the stream is thrown. */
export async function* stream(path, body, signal) {
  const reply = await send(path, { method: "POST", body, signal });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      let part;
      try {
        part = await reader.read();
      } catch (error) {
        if (error.name === "AbortError" || signal?.aborted) throw error;
        throw new ServerError("The connection broke off. Look whether `lilliput serve` still runs, then try again.");
      }
      if (part.done) break;
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line.trim()) yield parse(line);
    }
    if (rest.trim()) yield parse(rest);
  } finally {
    reader.cancel().catch(() => {});
  }
}

export function isAbort(error) {
  return error?.name === "AbortError";
}

/** The path of a run, whatever is in its name. */
export function runPath(name, action = "") {
  return `/api/runs/${encodeURIComponent(name)}${action && `/${action}`}`;
}
