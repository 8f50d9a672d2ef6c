/** The playground: one model picker, and modes by address (`#playground/score`). */

import { element, freshId, notice } from "/page/dom.js";
import { plural, short } from "/page/format.js";
import { Popover } from "/page/playground/text/popover.js";
import { CompareMode } from "/page/playground/modes/compare.js";
import { InsideMode } from "/page/playground/modes/inside.js";
import { ItemsMode } from "/page/playground/modes/items.js";
import { ScoreMode } from "/page/playground/modes/score.js";
import { WriteMode } from "/page/playground/modes/write.js";
import { request } from "/page/server.js";

const MODES = [
  ["write", "Write", WriteMode],
  ["compare", "Compare", CompareMode],
  ["score", "Score", ScoreMode],
  ["inside", "Inside", InsideMode],
  ["items", "Items", ItemsMode],
];

/** A choice among the open models, with the facts of the chosen one. */
export class ModelPicker {
  constructor(models, onchange) {
    this.onchange = onchange;
    const id = freshId("model");
    this.select = element("select", { id, onchange: () => this.changed() });
    this.facts = element("span", { class: "quiet facts" });
    this.element = element(
      "div",
      { class: "row picker" },
      element("label", { for: id }, "Model"),
      this.select,
      this.facts,
    );
    this.setModels(models);
  }

  setModels(models) {
    const chosen = this.select.value;
    this.models = models;
    this.select.replaceChildren(...models.map((model) => element("option", { value: model.id }, model.id)));
    if (models.some((model) => model.id === chosen)) this.select.value = chosen;
    this.describe();
  }

  model() {
    return this.models.find((model) => model.id === this.select.value) ?? null;
  }

  choose(id) {
    if (this.select.value === id || !this.models.some((model) => model.id === id)) return;
    this.select.value = id;
    this.changed();
  }

  changed() {
    this.describe();
    this.onchange?.(this.model());
  }

  describe() {
    const model = this.model();
    this.facts.textContent = !model
      ? ""
      : [
          model.kind === "ensemble" ? "ensemble" : model.kind.toUpperCase(),
          `${short(model.parameters)} parameters`,
          `${plural(model.context, "token")} of context`,
          `${plural(model.vocab_size, "token")} known (${model.tokenizer})`,
          model.counts ? "with counts" : null,
          model.reverse_lines ? "lines written backwards" : null,
        ]
          .filter(Boolean)
          .join(" · ");
  }
}

class Playground {
  constructor(root) {
    this.root = root;
    this.modes = new Map();
    this.popover = new Popover();
    this.links = MODES.map(([name, title]) =>
      element("a", { href: name === "write" ? "#playground" : `#playground/${name}` }, title),
    );
    this.place = element("div", {});
    root.append(this.place);
    // Wherever the focus is: in some browsers a click does not move it to a button.
    document.addEventListener("keydown", (event) => {
      const elsewhere =
        event.defaultPrevented || this.place.offsetParent === null || document.querySelector("dialog[open]");
      if (event.key === "Escape" && !elsewhere) this.modes.get(this.mode)?.stop?.();
    });
  }

  async show([mode = "write", wanted = null]) {
    this.mode = MODES.some(([name]) => name === mode) ? mode : "write";
    try {
      await this.refresh();
    } catch (error) {
      if (!this.picker) this.place.replaceChildren(notice(error.message));
      return;
    }
    if (!this.picker) return;
    this.wanted = wanted;
    if (wanted) this.picker.choose(wanted);
    this.showMode();
  }

  /** Reads the list of models; it changes when a run is opened. */
  async refresh() {
    const [{ models }, { options }] = await Promise.all([
      request("/api/models"),
      this.options ? this : request("/api/sampling"),
    ]);
    this.options = options;
    if (!models.length && !this.picker) {
      this.place.replaceChildren(
        element(
          "div",
          { class: "sheet" },
          element("h1", {}, "No model yet"),
          element("p", {}, "Train one on a text of your own. It takes a minute or two."),
          element(
            "p",
            {},
            element("a", { href: "#train" }, "Train a model"),
            " or ",
            element("a", { href: "#runs" }, "open a run"),
            ".",
          ),
        ),
      );
      return;
    }
    this.models ??= [];
    this.models.splice(0, this.models.length, ...models);
    if (this.picker) this.picker.setModels(models);
    else this.build();
  }

  build() {
    this.picker = new ModelPicker(this.models, (model) => {
      for (const mode of this.modes.values()) mode.modelChanged?.(model);
    });
    this.stage = element("div", { class: "stage" });
    this.place.replaceChildren(
      element("h1", { class: "unseen" }, "Playground"),
      element(
        "div",
        { class: "row apart top" },
        element("nav", { class: "modes", "aria-label": "Modes of the playground" }, this.links),
      ),
      this.picker.element,
      this.stage,
    );
  }

  showMode() {
    this.popover.hide();
    for (const [name, mode] of this.modes) mode.element.hidden = name !== this.mode;
    MODES.forEach(([name], index) => {
      if (name === this.mode) this.links[index].setAttribute("aria-current", "page");
      else this.links[index].removeAttribute("aria-current");
    });
    this.picker.element.hidden = this.mode === "compare"; // Each column has its own.
    if (!this.modes.has(this.mode)) {
      const [, , Mode] = MODES.find(([name]) => name === this.mode);
      const mode = new Mode(this);
      this.modes.set(this.mode, mode);
      this.stage.append(mode.element);
    }
    this.modes.get(this.mode).shown?.();
  }

  /** The text that the other modes can begin with. */
  writtenText() {
    return this.modes.get("write")?.text.text() ?? "";
  }

  hide() {
    this.popover.hide();
  }
}

export function createPlayground(root) {
  const playground = new Playground(root);
  return { show: (rest) => playground.show(rest), hide: () => playground.hide() };
}
