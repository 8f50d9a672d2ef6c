/** What the modes of the playground are built of. */

import { element, freshId, svg } from "/page/dom.js";
import { heat } from "/page/playground/text/token_text.js";

/** A question to the model: a field with its label, and controls below it. */
export function createQuestion(label, input, controls, kind = "") {
  return element(
    "div",
    {},
    element("label", { for: input.id }, label),
    input,
    element("div", { class: `row below ${kind}` }, controls),
  );
}

/** A question, the settings beside it, and the result. */
export function createDesk(question, settings, result) {
  return element(
    "div",
    { class: "desk" },
    element("div", { class: "ask" }, question),
    element("aside", { class: "side", "aria-label": "Settings" }, settings.element),
    element("div", { class: "result" }, result),
  );
}

/** Ctrl+Enter, or Cmd+Enter, anywhere within. */
export function onCtrlEnter(place, action) {
  place.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) action();
  });
}

/** A choice of views of some texts, and the legend of their colours, which only one view has. */
export function createViews(texts, onchange) {
  const legend = createLegend();
  const name = freshId("view");
  const choices = [
    ["surprise", "Surprise"],
    ["boundaries", "Tokens"],
    ["plain", "Plain"],
  ];
  const choose = (view) => {
    for (const text of texts) text.setView(view);
    legend.hidden = view !== "surprise";
    onchange?.(view);
  };
  const views = element(
    "fieldset",
    { class: "choice views" },
    element("legend", { class: "unseen" }, "How to show the text"),
    choices.map(([value, title], index) => {
      const input = element("input", {
        type: "radio",
        name,
        value,
        checked: index === 0,
        onchange: () => choose(value),
      });
      return element("label", {}, input, title);
    }),
  );
  return [views, legend];
}

/** The colours of surprise on a ruler in bits. */
function createLegend() {
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
