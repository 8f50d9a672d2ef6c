/** One text that streams from the server into a TokenText. */

import { element, svg } from "/page/dom.js";
import { duration, plural } from "/page/format.js";
import { stream } from "/page/server.js";
import { heat } from "/page/playground/text/token_text.js";

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

/** A choice of views of a text. */
export function createViews(onchange, name) {
  const choices = [
    ["surprise", "Surprise"],
    ["boundaries", "Tokens"],
    ["plain", "Plain"],
  ];
  return element(
    "fieldset",
    { class: "choice views" },
    element("legend", { class: "unseen" }, "How to show the text"),
    choices.map(([value, title], index) => {
      const input = element("input", {
        type: "radio",
        name,
        value,
        checked: index === 0,
        onchange: () => onchange(value),
      });
      return element("label", {}, input, title);
    }),
  );
}

/** The colours of surprise on a ruler in bits. */
export function createLegend() {
  const steps = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const marks = steps.map((step) => element("span", { class: "step", style: { "--heat": String(heat(step)) } }));
  const names = steps.map((step) => element("span", {}, step === 8 ? "8+" : String(step)));
  return element(
    "div",
    { class: "row legend-row" },
    element(
      "div",
      { class: "legend", role: "img", "aria-label": "Colours of surprise, from 0 to 8 bits and more" },
      marks,
      names,
    ),
    element("span", { class: "quiet" }, "bits of surprise"),
  );
}

/** A drawn figure for a text that is not there yet. */
export function createPlaceholder(text) {
  const widths = [220, 180, 240, 120];
  const lines = widths.map((width, index) => svg("rect", { x: 0, y: 6 + index * 16, width, height: 2 }));
  return element(
    "div",
    { class: "empty placeholder" },
    svg("svg", { viewBox: "0 0 240 64", width: 240, height: 64, "aria-hidden": "true" }, lines),
    element("p", {}, text),
  );
}
