/** What the model predicts at a token: with the settings of the sampling, and by each voice of a model with counts. */

import { element } from "/page/dom.js";
import { percent, visible } from "/page/format.js";
import { post } from "/page/server.js";

const VOICES = [
  ["network", "network", "var(--blue)"],
  ["counts", "counts", "var(--green)"],
  ["guess", "guess", "var(--pink)"],
];
const TOP = 50;
const KEPT = 200;
const known = new Map();

/** @param {object} request as in /api/prediction, and when the model was made: a name may come to mean another. */
export async function fetchPrediction({ created, ...request }, signal) {
  const key = JSON.stringify([created, request]);
  if (!known.has(key)) {
    const reply = await post("/api/prediction", { ...request, top: TOP }, signal);
    if (known.size >= KEPT) known.delete(known.keys().next().value);
    known.set(key, reply);
  }
  return known.get(key);
}

function drawShares(shares) {
  const parts = VOICES.filter(([name]) => shares[name] > 0);
  const label = parts.map(([name, title]) => `${title} ${percent(shares[name])}`).join(", ");
  return element(
    "div",
    { class: "bar", role: "img", "aria-label": `Shares: ${label}` },
    parts.map(([name, , colour]) =>
      element("div", { style: { "flex-grow": String(shares[name]), background: colour } }),
    ),
  );
}

function drawVoice([name, title, colour], reply) {
  const said = reply.voices[name] ?? [];
  return element(
    "div",
    {},
    element("div", {}, element("span", { class: "swatch", style: { background: colour } }), title),
    element("div", {}, element("span", { class: "quiet numbers" }, percent(reply.shares[name] ?? 0))),
    said.length
      ? element(
          "ol",
          {},
          said
            .slice(0, 3)
            .map(([, text, probability]) =>
              element(
                "li",
                {},
                element("span", {}, visible(text)),
                element("span", { class: "quiet numbers" }, percent(probability)),
              ),
            ),
        )
      : element("p", { class: "quiet" }, "silent"),
  );
}

/** Who spoke: the shares of the voices, and what each said. */
export function drawVoices(reply) {
  return [
    element("div", {}, "Who spoke here"),
    drawShares(reply.shares),
    element(
      "div",
      { class: "said" },
      VOICES.map((voice) => drawVoice(voice, reply)),
    ),
  ];
}
