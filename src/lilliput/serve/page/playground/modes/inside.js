/** A look into the network: the attention of a head, or the state of an LSTM, over a text. */

import { announce, button, element, freshId, notice } from "/page/dom.js";
import { percent, visible } from "/page/format.js";
import { createPlaceholder, createQuestion, onCtrlEnter } from "/page/playground/layout.js";
import { Matrix } from "/page/playground/text/matrix.js";
import { TokenText } from "/page/playground/text/token_text.js";
import { isAbort, post } from "/page/server.js";

const HELP = {
  attention:
    "Each row is a token, each column a token that it looks back at. Point at a token of the text: the stronger the colour of another one, the more this head looks at it.",
  state:
    "Each row is a token, each column a unit of the state after it. Orange is positive, blue is negative. Point at a unit to see it over the text.",
};

export class InsideMode {
  constructor(shared) {
    this.shared = shared;
    this.build();
    this.modelChanged(shared.picker.model());
  }

  build() {
    const id = freshId("inside");
    this.input = element("textarea", { id, rows: 3, class: "book prompt-box short", spellcheck: "false" });
    this.layer = element("select", { id: freshId("layer"), onchange: () => this.look() });
    this.head = element("select", { id: freshId("head"), onchange: () => this.look() });
    this.headBox = element("span", { class: "row" }, element("label", { for: this.head.id }, "Head"), this.head);
    this.go = button("Look inside", () => this.look(true), { kind: "primary", title: "Ctrl+Enter" });
    this.problem = element("div", {});
    this.help = element("p", { class: "quiet" });
    this.readout = element("p", { class: "readout numbers" });
    this.matrix = new Matrix((row, column) => this.read(row, column));
    this.text = new TokenText({
      label: "Text",
      popover: {
        hideFor() {},
        leave() {},
        hover: (_, index) => this.point(index),
        show: (_, index) => this.point(index),
        enter() {},
        pick() {},
      },
      context: () => ({}),
    });
    this.text.element.classList.add("inside-text");
    this.text.setView("plain");
    this.placeholder = createPlaceholder("See what a token looks back at, layer by layer and head by head.");
    this.result = element(
      "div",
      { class: "inside", hidden: true },
      element("div", { class: "sheet" }, this.text.element),
      element("div", { class: "sheet" }, this.matrix.element, this.readout),
    );
    this.element = element(
      "div",
      { class: "stack" },
      createQuestion("Text to look into", this.input, [
        this.go,
        element("span", { class: "row" }, element("label", { for: this.layer.id }, "Layer"), this.layer),
        this.headBox,
      ]),
      this.problem,
      element("div", { class: "sheet" }, this.placeholder),
      this.result,
      this.help,
    );
    onCtrlEnter(this.element, () => this.look(true));
  }

  shown() {
    if (!this.input.value) this.input.value = this.shared.writtenText() || this.shared.picker.model()?.prompt || "";
  }

  modelChanged(model) {
    if (!model) return;
    const fill = (select, count, what) => {
      const kept = Math.min(Number(select.value) || 0, Math.max(0, count - 1));
      select.replaceChildren(
        ...Array.from({ length: count }, (_, index) => element("option", { value: index }, `${index + 1} of ${count}`)),
      );
      select.value = String(kept);
      select.disabled = count < 2;
      select.title = what;
    };
    fill(this.layer, Math.max(1, model.layers), "layer");
    fill(this.head, model.heads, "head");
    this.headBox.hidden = !model.heads;
    if (this.data) this.look();
  }

  async look(asked = false) {
    const model = this.shared.picker.model();
    const text = this.input.value;
    if (!model || !text || (!asked && !this.data)) return;
    this.abort?.abort();
    this.abort = new AbortController();
    try {
      const body = { model: model.id, text, layer: Number(this.layer.value) || 0, head: Number(this.head.value) || 0 };
      this.data = await post("/api/inside", body, this.abort.signal);
      this.model = model;
      this.problem.replaceChildren();
      this.draw();
    } catch (error) {
      if (!isAbort(error)) this.problem.replaceChildren(notice(error.message));
    }
  }

  draw() {
    const { tokens, values, kind } = this.data;
    this.placeholder.parentElement.hidden = true;
    this.result.hidden = false;
    this.help.textContent = HELP[kind];
    this.readout.textContent = "Point at the picture, or move over it with the arrow keys.";
    this.text.show(
      "",
      tokens.map((token, index) => ({ id: index, text: token, probability: null, top: [] })),
      this.model.reverse_lines,
    );
    this.matrix.show(values, kind, tokens);
    announce(`${kind === "attention" ? "Attention" : "State"} over ${tokens.length} tokens.`);
    this.point(tokens.length - 1);
  }

  /** A token of the text is pointed at. */
  point(index) {
    if (!this.data) return;
    const { kind, values } = this.data;
    if (kind === "attention") {
      this.tint(values[index], index);
      this.matrix.mark(index, null);
      this.readout.textContent = this.describeRow(index);
    } else {
      this.matrix.mark(index, this.unit ?? 0);
      this.read(index, this.unit ?? 0);
    }
  }

  describeRow(index) {
    const { tokens, values } = this.data;
    const best = values[index]
      .map((weight, place) => [weight, place])
      .sort((left, right) => right[0] - left[0])
      .slice(0, 3);
    const parts = best
      .filter(([weight]) => weight > 0.01)
      .map(([weight, place]) => `“${visible(tokens[place])}” (${place + 1}) ${percent(weight)}`);
    return `“${visible(tokens[index])}” (${index + 1}) looks at ${parts.join(", ")}`;
  }

  /** A cell of the picture is pointed at. */
  read(row, column) {
    const { kind, tokens, values } = this.data;
    if (kind === "attention") {
      this.tint(values[row], row);
      this.readout.textContent =
        column > row
          ? this.describeRow(row)
          : `“${visible(tokens[row])}” (${row + 1}) gives “${visible(tokens[column])}” (${column + 1}) ${percent(values[row][column])}`;
      return;
    }
    this.unit = column;
    this.tint(
      values.map((state) => state[column]),
      row,
    );
    this.readout.textContent = `Unit ${column + 1} after “${visible(tokens[row])}” (${row + 1}): ${values[row][column].toFixed(2)}. The text shows this unit at every token.`;
  }

  tint(weights, row) {
    const largest = Math.max(...weights.map(Math.abs), 1e-9);
    this.text.setTint(
      weights.map((weight) => weight / largest),
      this.data.kind === "state",
    );
    this.text.spans.forEach((span, index) => span.classList.toggle("open", index === row));
  }
}
