/** Marks on a finished text: what is copied from the training text, rhymes and syllables in the margin. */

import { element } from "/page/dom.js";
import { percent, plural } from "/page/format.js";
import { isAbort, post } from "/page/server.js";

export class Marks {
  /** @param {TokenText} text the text to mark; `model()` gives its model. */
  constructor(text, model) {
    this.text = text;
    this.model = model;
    this.novelty = false;
    this.verse = false;
    this.column = element("div", { class: "marks", "aria-label": "Rhymes and syllables", role: "group", hidden: true });
    this.element = element("div", { class: "margin" }, text.element, this.column);
    this.note = element("p", { class: "quiet marks-note", hidden: true });
    this.lines = null;
    new ResizeObserver(() => this.place()).observe(text.element);
  }

  /** After the text has changed: the old marks go. */
  clear() {
    this.abort?.abort();
    this.lines = null;
    this.messages = {};
    if (this.text.copied.length) this.text.setCopied([]);
    this.show();
  }

  /** Asks the server for all marks that are switched on. */
  async refresh() {
    this.clear();
    const model = this.model();
    const text = this.text.text();
    if (!model || !text.trim()) return;
    this.abort = new AbortController();
    const { signal } = this.abort;
    const jobs = [];
    if (this.novelty) jobs.push(this.fetchNovelty(model, text, signal));
    if (this.verse && model.verse) jobs.push(this.fetchVerse(model, text, signal));
    await Promise.all(jobs);
  }

  async attempt(name, action) {
    try {
      await action();
    } catch (error) {
      if (!isAbort(error)) this.messages[name] = error.message;
    }
    this.show();
  }

  fetchNovelty(model, text, signal) {
    this.messages.novelty = "Looking for copies in the training text…"; // The first time takes seconds.
    this.show();
    return this.attempt("novelty", async () => {
      const reply = await post("/api/novelty", { model: model.id, text }, signal);
      this.text.setCopied(reply.spans);
      const share =
        reply.copied === null ? "" : ` ${percent(reply.copied)} of its runs of five words are in the training text.`;
      this.messages.novelty = reply.spans.length
        ? `Underlined: copied from the training text. The longest copy has ${plural(reply.longest, "word")}.${share}`
        : `Nothing of five words or more is copied from the training text.`;
    });
  }

  fetchVerse(model, text, signal) {
    return this.attempt("verse", async () => {
      const reply = await post("/api/verse", { text, language: model.verse }, signal);
      this.lines = reply.lines;
      this.messages.verse = reply.rhymed === null ? "" : `${percent(reply.rhymed)} of the lines rhyme.`;
    });
  }

  show() {
    const text = Object.values(this.messages ?? {})
      .filter(Boolean)
      .join(" ");
    this.note.textContent = text;
    this.note.hidden = !text;
    this.place();
  }

  /** Puts the marks beside the lines of the text, wherever the window's width has moved them. */
  place() {
    const shown = this.verse && this.lines !== null;
    this.element.classList.toggle("verse", shown);
    this.column.hidden = !shown;
    if (!shown) return;
    let position = 0;
    const rows = [];
    for (const line of this.text.text().split("\n")) {
      const mark = this.lines[rows.length] ?? null;
      rows.push([mark, position]);
      position += Array.from(line).length + 1;
    }
    this.column.replaceChildren(...rows.map(([mark, at]) => this.drawMark(mark, at)).filter(Boolean));
  }

  drawMark(mark, position) {
    if (!mark) return null;
    const top = this.text.topOf(position);
    if (top === null) return null;
    const counts = [...new Set(mark.syllables)].join("–");
    const spoken = `${mark.letter ? `rhyme ${mark.letter}, ` : ""}${counts || "no"} syllables`;
    return element(
      "div",
      { style: { top: `${top}px` }, title: spoken },
      element("b", {}, mark.letter),
      element("span", { class: "numbers" }, counts),
    );
  }
}
