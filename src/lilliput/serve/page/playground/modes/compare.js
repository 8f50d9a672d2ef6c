/** Two models, or two settings of one, with the same prompt, side by side. */

import { announce, button, element, freshId, notice } from "/page/dom.js";
import { createPlaceholder, createQuestion, createViews, onCtrlEnter } from "/page/playground/layout.js";
import { Settings } from "/page/playground/settings.js";
import { TokenText } from "/page/playground/text/token_text.js";
import { describeEnd, write } from "/page/playground/writing.js";
import { isAbort } from "/page/server.js";

const SIDES = ["Left", "Right"];

class Column {
  constructor(shared, side, picker) {
    this.side = side;
    this.picker = picker;
    this.picker.onchange = (model) => this.settings.setModel(model);
    this.settings = new Settings(shared.options, picker.model(), { open: false });
    this.settings.onchange = () => shared.popover.predict(60);
    this.text = new TokenText({
      label: `${SIDES[side]} text. Arrow keys go from token to token.`,
      popover: shared.popover,
      context: () => ({
        model: this.writer,
        before: this.ids ?? [],
        options: () => this.settings.options(),
        branch: (index, chosen) => this.branch(index, chosen),
      }),
    });
    this.problem = element("div", {});
    this.status = element("p", { class: "quiet status numbers" });
    this.placeholder = createPlaceholder("The text appears here.");
    this.text.element.hidden = true;
    this.element = element(
      "section",
      { class: "column", "aria-label": `${SIDES[side]} column` },
      this.picker.element,
      this.settings.element,
      this.problem,
      element("div", { class: "sheet" }, this.placeholder, this.text.element),
      this.status,
    );
  }

  run(prompt) {
    this.writer = this.picker.model();
    return this.stream({ model: this.writer.id, prompt }, prompt, []);
  }

  /** Goes on from an alternative; in this mode the branch replaces the text. */
  branch(index, [id, text, probability]) {
    const kept = this.text.tokens.slice(0, index);
    const chosen = { id, text, probability, top: this.text.tokens[index].top };
    const ids = [...this.ids, ...kept.map((token) => token.id), id];
    this.stream({ model: this.writer.id, ids }, this.text.prompt, [...kept, chosen]);
  }

  async stream(body, prompt, tokens) {
    this.stop();
    const abort = new AbortController();
    this.abort = abort;
    this.problem.replaceChildren();
    try {
      const [seed, options] = [this.settings.takeSeed(body.ids !== undefined), this.settings.options()];
      this.placeholder.hidden = true;
      this.text.element.hidden = false;
      this.text.show(prompt, tokens, this.writer.reverse_lines);
      this.text.setBusy(true);
      this.status.textContent = "Writing…";
      const end = await write(
        { ...body, seed, options },
        {
          prompt: (read) => {
            if (!body.prompt && body.prompt !== "") return;
            this.ids = read.ids;
            this.text.show(read.text, [], read.backwards);
          },
          token: (token) => this.abort === abort && this.text.append(token),
          changed: () => this.abort === abort && this.text.draw(),
        },
        abort.signal,
      );
      this.status.textContent = describeEnd(end);
    } catch (error) {
      if (this.abort !== abort) return;
      this.status.textContent = isAbort(error) ? "Stopped." : "";
      if (!isAbort(error)) this.problem.replaceChildren(notice(error.message));
    }
    if (this.abort !== abort) return;
    this.abort = null;
    this.text.setBusy(false);
  }

  stop() {
    this.abort?.abort();
  }
}

export class CompareMode {
  constructor(shared) {
    this.shared = shared;
    this.columns = SIDES.map((_, side) => new Column(shared, side, this.createPicker(side)));
    this.build();
  }

  createPicker(side) {
    const { models, picker } = this.shared;
    const made = new picker.constructor(models, null);
    const others = models.filter((model) => model.id !== picker.model().id);
    made.choose(side === 0 || !others.length ? picker.model().id : others[0].id);
    return made;
  }

  build() {
    const id = freshId("prompt");
    this.prompt = element("textarea", { id, rows: 2, class: "book prompt-box", spellcheck: "false" });
    this.prompt.value = this.shared.modes.get("write")?.prompt.value || this.shared.picker.model().prompt || "";
    this.go = button("Write both", () => this.toggle(), { kind: "primary", title: "Ctrl+Enter writes, Escape stops" });
    const [views, legend] = createViews(this.columns.map((column) => column.text));
    this.element = element(
      "div",
      { class: "stack" },
      createQuestion("Prompt for both", this.prompt, [this.go, views], "apart"),
      element(
        "div",
        { class: "columns" },
        this.columns.map((column) => column.element),
      ),
      legend,
    );
    onCtrlEnter(this.element, () => this.run());
  }

  /** The list of models may have grown since. */
  shown() {
    for (const column of this.columns) column.picker.setModels(this.shared.models);
  }

  stop() {
    this.columns.forEach((column) => column.stop());
  }

  toggle() {
    if (this.running) this.stop();
    else this.run();
  }

  async run() {
    if (this.running) return;
    this.running = true;
    this.go.textContent = "Stop";
    this.go.classList.add("stop");
    Settings.rollBoth(...this.columns.map((column) => column.settings));
    announce("Writing both texts");
    await Promise.all(this.columns.map((column) => column.run(this.prompt.value)));
    this.running = false;
    this.go.textContent = "Write both";
    this.go.classList.remove("stop");
    announce("Both texts are complete");
  }
}
