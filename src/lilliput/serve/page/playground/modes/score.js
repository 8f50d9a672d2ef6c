/** Any text, each token coloured by how much it surprises the model. */

import { announce, button, element, freshId, notice } from "/page/dom.js";
import { percent, plural, points } from "/page/format.js";
import { createPlaceholder, createQuestion, createViews, onCtrlEnter } from "/page/playground/layout.js";
import { TokenText } from "/page/playground/text/token_text.js";
import { TOP } from "/page/playground/writing.js";
import { isAbort, post } from "/page/server.js";

export class ScoreMode {
  constructor(shared) {
    this.shared = shared;
    this.text = new TokenText({
      label: "Scored text. Arrow keys go from token to token.",
      popover: shared.popover,
      context: () => ({ model: this.scoredBy, before: [], branch: null }),
    });
    this.build();
  }

  build() {
    const id = freshId("score");
    this.input = element("textarea", { id, rows: 5, class: "book prompt-box short", spellcheck: "false" });
    this.go = button("Score", () => this.score(), { kind: "primary", title: "Ctrl+Enter" });
    this.take = button("Take the written text", () => {
      this.input.value = this.shared.writtenText();
    });
    this.problem = element("div", {});
    this.figures = element("dl", { class: "figures numbers", hidden: true });
    this.placeholder = createPlaceholder(
      "Paste a text, your own or a famous one, and see where the model expects another word.",
    );
    const [views, legend] = createViews([this.text]);
    this.element = element(
      "div",
      { class: "stack" },
      createQuestion("Text to score", this.input, [this.go, this.take]),
      this.problem,
      views,
      element("div", { class: "sheet" }, this.placeholder, this.text.element),
      legend,
      this.figures,
    );
    this.text.element.hidden = true;
    onCtrlEnter(this.input, () => this.score());
  }

  shown() {
    this.take.disabled = !this.shared.writtenText();
  }

  async score() {
    const model = this.shared.picker.model();
    if (!this.input.value || !model) return;
    this.abort?.abort();
    this.abort = new AbortController();
    this.problem.replaceChildren();
    this.go.disabled = true;
    try {
      const reply = await post("/api/score", { model: model.id, text: this.input.value, top: TOP }, this.abort.signal);
      this.scoredBy = model;
      this.showTokens(reply.tokens);
    } catch (error) {
      if (!isAbort(error)) this.problem.replaceChildren(notice(error.message));
    }
    this.go.disabled = false;
  }

  showTokens(scored) {
    const tokens = scored.map(({ id, text, log_probability: value, top }) => ({
      id,
      text,
      probability: value === null ? null : Math.exp(value),
      top: top ?? [],
    }));
    this.placeholder.hidden = true;
    this.text.element.hidden = false;
    this.text.show("", tokens, this.scoredBy.reverse_lines);
    const known = scored.filter((token) => token.log_probability !== null);
    const bits = known.reduce((sum, token) => sum - token.log_probability / Math.LN2, 0);
    const letters = points(known.map((token) => token.text).join(""));
    const first = known.filter((token) => token.top?.[0]?.[0] === token.id).length;
    const figures = [
      ["bits per character", letters ? (bits / letters).toFixed(3) : "–"],
      ["perplexity of a token", known.length ? (2 ** (bits / known.length)).toFixed(2) : "–"],
      ["likeliest token was right", known.length ? percent(first / known.length) : "–"],
      ["tokens", String(scored.length)],
    ];
    this.figures.hidden = false;
    this.figures.replaceChildren(
      ...figures.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
    );
    announce(`Scored ${plural(scored.length, "token")}, ${figures[0][1]} bits per character.`);
  }
}
