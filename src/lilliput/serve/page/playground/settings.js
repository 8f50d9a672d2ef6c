/** The panel with all settings of the sampling: the main ones visible, the others in a list that opens. */

import { button, element, freshId } from "/page/dom.js";
import { Field, MAIN } from "/page/playground/fields.js";

const LARGEST_SEED = 999999;

function roll() {
  return 1 + Math.floor(Math.random() * LARGEST_SEED);
}

export class Settings {
  /**
   * `onchange` may be set: it is called after every change.
   * @param {object[]} options the list of /api/sampling; `without` names those that do not apply.
   */
  constructor(options, model, { open = true, without = [], seed = 1 } = {}) {
    const usable = options.filter(
      (option) => !without.includes(option.name) && (option.name !== "label" || model.labels?.length),
    );
    this.fields = new Map(usable.map((option) => [option.name, new Field(option, model, () => this.summarise())]));
    const main = Object.keys(MAIN)
      .filter((name) => this.fields.has(name))
      .map((name) => this.fields.get(name).element);
    const others = [...this.fields].filter(([name]) => !(name in MAIN)).map(([, field]) => field.element);
    this.changes = element("span", { class: "quiet" });
    this.more = element("span", { class: "quiet" });
    const all = element(
      "details",
      { class: "all-options" },
      element("summary", {}, "All options ", this.more),
      element("div", { class: "fields others" }, others),
    );
    this.element = element(
      "details",
      { class: "settings", open },
      element("summary", {}, "Settings ", this.changes),
      element("div", { class: "fields" }, main, this.createSeed(seed), all),
    );
    this.summarise();
  }

  createSeed(seed) {
    const id = freshId("seed");
    this.used = false;
    this.seed = element("input", { id, type: "number", min: 0, step: 1, value: seed });
    this.seed.addEventListener("input", () => {
      this.used = false;
    });
    this.rolls = element("input", { type: "checkbox", checked: true });
    const dice = button("⚄", () => this.setSeed(roll()), {
      kind: "square",
      "aria-label": "Roll a new seed",
      title: "Roll a new seed",
    });
    return element(
      "div",
      { class: "field seed" },
      element("div", { class: "name" }, element("label", { for: id }, "Seed")),
      element(
        "div",
        { class: "row" },
        this.seed,
        dice,
        element("label", { class: "check" }, this.rolls, "new each time"),
      ),
      element("p", { class: "help" }, "The same seed and settings give the same text."),
    );
  }

  setModel(model) {
    for (const field of this.fields.values()) field.setModel(model);
    this.summarise();
  }

  summarise() {
    const changed = [...this.fields.values()].filter((field) => field.isChanged());
    this.changes.textContent = changed.length
      ? `· ${changed.map((field) => field.title.toLowerCase()).join(", ")} changed`
      : "";
    const others = changed.filter((field) => !(field.option.name in MAIN)).length;
    this.more.textContent = others ? `· ${others} changed` : "";
    this.onchange?.();
  }

  /** The options that the user changed; an error names the field that is wrong. */
  options() {
    const result = {};
    for (const [name, field] of this.fields) if (field.isChanged()) result[name] = field.value();
    return result;
  }

  /** The seed for the next text: a new one, if the user wants that and the shown one has served, unless `same`. */
  takeSeed(same = false) {
    if (this.used && this.rolls.checked && !same) this.setSeed(roll());
    const seed = Number(this.seed.value);
    if (!this.seed.value || !Number.isInteger(seed) || seed < 0) {
      throw new Error("The seed must be a whole number of at least 0.");
    }
    this.used = true;
    return seed;
  }

  setSeed(seed) {
    this.seed.value = String(seed);
    this.used = false;
  }

  /** For two panels with equal seeds: both get the same new one, so that a comparison stays fair. */
  static rollBoth(left, right) {
    const both = [left, right];
    if (left.seed.value !== right.seed.value || !both.every((panel) => panel.used && panel.rolls.checked)) return;
    const seed = roll();
    for (const panel of both) panel.setSeed(seed);
  }
}
