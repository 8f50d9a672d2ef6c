/** One control of the sampling: from its description in /api/sampling to an input with a label and a reset. */

import { button, element, freshId } from "/page/dom.js";

/** The controls that are always visible, in their order; `off` is the slider's place for "no such filter". */
export const MAIN = {
  temperature: { title: "Temperature", slider: [0, 2, 0.05] },
  top_k: { title: "Top-k", slider: [0, 100, 1], off: 0 },
  top_p: { title: "Top-p", slider: [0.01, 1, 0.01], off: 1 },
  min_p: { title: "Min-p", slider: [0, 0.5, 0.01], off: 0 },
  repetition_penalty: { title: "Repetition penalty", slider: [0.8, 2, 0.01] },
  max_tokens: { title: "Length in tokens", slider: [1, 1000, 1] },
  stop: { title: "Stop strings" },
};

const same = (left, right) => JSON.stringify(left ?? null) === JSON.stringify(right ?? null);

function lines(text) {
  return text.split("\n").filter((line) => line !== "");
}

/** "\n" typed as two characters means a line end, so that a line end can be a stop string. */
function unescaped(text) {
  return text.replaceAll("\\n", "\n").replaceAll("\\t", "\t");
}

function escaped(text) {
  return text.replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

function number(text, option, title) {
  const value = Number(text.replace(",", "."));
  const range = [option.minimum ?? -Infinity, option.maximum ?? Infinity];
  if (!Number.isFinite(value)) throw new Error(`${title}: “${text}” is not a number.`);
  if (option.type === "integer" && !Number.isInteger(value)) throw new Error(`${title} must be a whole number.`);
  if (value < range[0]) throw new Error(`${title} must be at least ${range[0]}.`);
  if (value > range[1]) throw new Error(`${title} must be at most ${range[1]}.`);
  return value;
}

function weights(text, title) {
  const result = {};
  for (const line of lines(text)) {
    const at = line.lastIndexOf("=");
    const value = Number(line.slice(at + 1));
    if (at < 1 || !Number.isFinite(value) || !line.slice(at + 1).trim()) {
      throw new Error(`${title}: write one “text=number” a line, not “${line}”.`);
    }
    result[unescaped(line.slice(0, at))] = value;
  }
  return result;
}

const EMPTY = { texts: [], numbers: [], weights: {} };

function parse(text, option, title) {
  if (text.trim() === "" && option.type !== "texts") return EMPTY[option.type] ?? null;
  switch (option.type) {
    case "number":
    case "integer":
      return number(text.trim(), option, title);
    case "texts":
      return lines(text).map(unescaped);
    case "numbers":
      return text
        .trim()
        .split(/[\s;,]+/)
        .map((part) => number(part, option, title));
    case "weights":
      return weights(text, title);
    case "text":
      return unescaped(text);
    default:
      return text;
  }
}

function format(value, option) {
  if (value === null || value === undefined) return "";
  switch (option.type) {
    case "texts":
      return value.map(escaped).join("\n");
    case "numbers":
      return value.join(", ");
    case "weights":
      return Object.entries(value)
        .map(([text, weight]) => `${escaped(text)}=${weight}`)
        .join("\n");
    case "text":
      return escaped(value);
    default:
      return String(value);
  }
}

function titleOf(option) {
  const words = option.name.replaceAll("_", " ");
  return MAIN[option.name]?.title ?? words[0].toUpperCase() + words.slice(1);
}

function createInput(option, id, choices) {
  if (choices) {
    const items = choices.map((choice) => element("option", { value: choice }, choice));
    return element(
      "select",
      { id, class: "wide" },
      option.optional ? element("option", { value: "" }, "none") : null,
      items,
    );
  }
  if (option.type === "texts" || option.type === "weights") {
    const placeholder = option.type === "texts" ? "one a line" : "text=number, one a line";
    return element("textarea", { id, rows: 2, spellcheck: "false", class: "code", placeholder });
  }
  if (option.type === "number" || option.type === "integer") {
    const step = option.type === "integer" ? 1 : "any";
    return element("input", { id, type: "number", step, placeholder: option.optional ? "off" : null });
  }
  return element("input", { id, type: "text", class: "wide", spellcheck: "false", autocomplete: "off" });
}

export class Field {
  /** @param {object} option as in /api/sampling; `onchange` is called after every change. */
  constructor(option, model, onchange) {
    this.option = option;
    this.title = titleOf(option);
    this.onchange = onchange;
    const id = freshId(`option-${option.name}`);
    const main = MAIN[option.name];
    const choices = option.name === "label" ? model.labels : option.choices;
    this.input = createInput(option, id, choices);
    this.slider = main?.slider ? this.createSlider(main) : null;
    this.back = button("reset", () => this.reset(), { kind: "plain reset", "aria-label": `Reset ${this.title}` });
    const helpId = `${id}-help`;
    this.input.setAttribute("aria-describedby", helpId);
    const help = element("p", { class: "help", id: helpId }, option.help);
    const control = this.slider ? element("div", { class: "pair" }, this.slider, this.input) : this.input;
    const name = element("div", { class: "name" }, element("label", { for: id }, this.title), this.back);
    this.element = element("div", { class: "field" }, name, control, help);
    this.input.addEventListener("input", () => this.changed());
    this.setModel(model);
  }

  createSlider({ slider: [minimum, maximum, step], off }) {
    const slider = element("input", {
      type: "range",
      min: minimum,
      max: maximum,
      step,
      "aria-label": `${this.title}, slider`,
      tabindex: -1,
      "aria-hidden": "true",
    });
    slider.addEventListener("input", () => {
      const value = Number(slider.value);
      this.input.value = value === off && this.option.optional ? "" : String(value);
      this.changed();
    });
    return slider;
  }

  /** The model's own value is the default; a value that the user gave stays. */
  setModel(model) {
    const keep = this.default !== undefined && this.isChanged() ? this.input.value : null;
    this.default = model.defaults?.[this.option.name] ?? null;
    this.input.value = keep ?? format(this.default, this.option);
    this.changed(false);
  }

  reset() {
    this.input.value = format(this.default, this.option);
    this.changed();
    this.input.focus();
  }

  isChanged() {
    try {
      return !same(this.value(), this.default);
    } catch {
      return true;
    }
  }

  /** The value as the server wants it; an error says what is wrong. */
  value() {
    const value = parse(this.input.value, this.option, this.title);
    if (value === null && !this.option.optional && this.default !== null) {
      throw new Error(`${this.title} needs a value.`);
    }
    return value;
  }

  changed(tell = true) {
    const changed = this.isChanged();
    this.element.classList.toggle("changed", changed);
    this.back.hidden = !changed;
    let wrong = false;
    try {
      const value = this.value();
      if (this.slider) this.slider.value = String(value ?? MAIN[this.option.name].off ?? 0);
    } catch {
      wrong = true;
    }
    this.input.setAttribute("aria-invalid", String(wrong));
    if (tell) this.onchange();
  }
}
