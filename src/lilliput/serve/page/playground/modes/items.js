/** New names, words or titles, as a list. */

import { announce, button, copyText, element, freshId, notice } from "/page/dom.js";
import { plural } from "/page/format.js";
import { createDesk, createPlaceholder } from "/page/playground/layout.js";
import { Settings } from "/page/playground/settings.js";
import { isAbort, stream } from "/page/server.js";

const COUNT = 20;

function describe(end) {
  const left = [
    end.copied ? `${end.copied} copied from the training text` : null,
    end.repeated ? `${end.repeated} repeated` : null,
    end.unfinished ? `${end.unfinished} unfinished` : null,
  ].filter(Boolean);
  return `${plural(end.new, "new item")}.${left.length ? ` Left out: ${left.join(", ")}.` : ""}`;
}

export class ItemsMode {
  constructor(shared) {
    this.shared = shared;
    this.settings = new Settings(shared.options, shared.picker.model(), {
      open: window.innerWidth > 900,
      without: ["stop", "until"],
    });
    this.build();
  }

  build() {
    const id = freshId("beginning");
    const countId = freshId("count");
    this.beginning = element("input", { id, type: "text", autocomplete: "off", spellcheck: "false" });
    this.count = element("input", { id: countId, type: "number", min: 1, max: 500, value: COUNT });
    this.go = button(`Invent ${COUNT}`, () => (this.abort ? this.abort.abort() : this.run()), { kind: "primary" });
    this.copy = button(
      "Copy list",
      async () => {
        try {
          await copyText(this.items.join("\n"));
          this.say("The list is copied.");
        } catch (error) {
          this.problem.replaceChildren(notice(error.message));
        }
      },
      { disabled: true },
    );
    this.count.addEventListener("input", () => this.name());
    this.problem = element("div", {});
    this.status = element("p", { class: "quiet status numbers" });
    this.placeholder = createPlaceholder("New names, words or titles. None of them is in the training text.");
    this.list = element("ul", { class: "chips" });
    this.items = [];
    this.element = createDesk(
      element(
        "div",
        { class: "row ends" },
        element("div", {}, element("label", { for: id }, "They begin with (may be empty)"), this.beginning),
        element("div", {}, element("label", { for: countId }, "How many"), this.count),
        this.go,
        this.copy,
      ),
      this.settings,
      [this.problem, element("div", { class: "sheet" }, this.placeholder, this.list), this.status],
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.target === this.beginning || event.target === this.count) && !this.abort)
        this.run();
    });
  }

  stop() {
    this.abort?.abort();
  }

  name() {
    this.go.textContent = this.abort ? "Stop" : `Invent ${this.count.value || COUNT}`;
    this.go.classList.toggle("stop", Boolean(this.abort));
  }

  modelChanged(model) {
    if (model) this.settings.setModel(model);
  }

  say(text) {
    this.status.textContent = text;
    announce(text);
  }

  async run() {
    const model = this.shared.picker.model();
    const abort = new AbortController();
    this.problem.replaceChildren();
    try {
      const body = {
        model: model.id,
        count: Number(this.count.value) || COUNT,
        prompt: this.beginning.value,
        seed: this.settings.takeSeed(),
        options: this.settings.options(),
      };
      this.abort = abort;
      this.name();
      this.items = [];
      this.list.replaceChildren();
      this.placeholder.hidden = true;
      this.say("Inventing…");
      for await (const line of stream("/api/items", body, abort.signal)) {
        if (line.item !== undefined) this.add(line.item);
        if (line.end) this.say(describe(line.end));
      }
    } catch (error) {
      this.say(isAbort(error) ? "Stopped." : "");
      if (!isAbort(error)) this.problem.replaceChildren(notice(error.message));
    }
    this.abort = null;
    this.copy.disabled = !this.items.length;
    this.placeholder.hidden = this.items.length > 0;
    this.name();
  }

  add(item) {
    this.items.push(item);
    this.list.append(element("li", {}, item));
  }
}
