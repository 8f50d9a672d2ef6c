/** One text that streams from the server into a TokenText. */

import { duration, plural } from "/page/format.js";
import { stream } from "/page/server.js";

export const TOP = 10;

/**
 * Asks for a continuation and calls `on.prompt(prompt)` and `on.token(token)` as they come, and `on.changed()` after the
 * last token got the text that was held back for a stop string. The first token has `begins`, for predictions.
 * @returns {Promise<object>} the end: reason, tokens, seconds
 */
export async function write(body, on, signal) {
  let end = null;
  let latest = null;
  let rest = "";
  for await (const line of stream("/api/continue", { top: TOP, ...body }, signal)) {
    if (line.prompt) {
      rest = line.prompt.rest;
      on.prompt(line.prompt);
    } else if (line.token && line.token.id !== null) {
      const first = latest === null ? { begins: true, rest } : {};
      latest = { probability: null, top: [], ...line.token, ...first };
      on.token(latest);
    } else if (line.token && latest) {
      latest.text += line.token.text;
      on.changed();
    } else if (line.end) end = line.end;
  }
  return end ?? { reason: "length", tokens: 0, seconds: 0 };
}

/** What to say when a text is complete. */
export function describeEnd(end) {
  const speed = end.seconds > 0 ? `, ${plural(end.tokens / end.seconds, "token")} a second` : "";
  const why =
    { stop: "It ended by itself or at a stop string.", length: "It reached the length that you set." }[end.reason] ??
    "";
  return `${plural(end.tokens, "token")} in ${duration(end.seconds)}${speed}. ${why}`.trim();
}
