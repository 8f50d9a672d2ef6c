/** The three voices of a model with counts: what the network, the counts and the guess say about the next token. */

import { element } from "/page/dom.js";
import { percent, visible } from "/page/format.js";
import { isAbort, post } from "/page/server.js";

export const VOICES = [
  ["network", "network", "var(--blue)"],
  ["counts", "counts", "var(--green)"],
  ["guess", "guess", "var(--pink)"],
];
const WAIT = 150; // A pointer that only passes over tokens asks for nothing.
const KEPT = 200;
const known = new Map();

async function fetchVoices(model, ids) {
  const key = `${model} ${ids.join(" ")}`;
  if (!known.has(key)) {
    if (known.size >= KEPT) known.delete(known.keys().next().value);
    known.set(key, await post("/api/voices", { model, ids, top: 10 }));
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

/** A box that fills itself; `ready` is called when its size has changed. */
export function createVoices(model, ids, ready) {
  const box = element("div", { class: "voices" });
  const start = async () => {
    if (!box.isConnected) return;
    try {
      const reply = await fetchVoices(model, ids);
      if (!box.isConnected) return;
      box.replaceChildren(
        element("div", {}, "Who spoke here"),
        drawShares(reply.shares),
        element(
          "div",
          { class: "said" },
          VOICES.map((voice) => drawVoice(voice, reply)),
        ),
      );
    } catch (error) {
      if (!isAbort(error)) box.replaceChildren(element("span", { class: "quiet" }, error.message));
    }
    ready();
  };
  setTimeout(start, WAIT);
  return box;
}
