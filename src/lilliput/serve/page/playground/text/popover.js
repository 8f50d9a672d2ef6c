/** The box that explains one token: its probability, what else was likely, and the voices of a mixed model. */

import { button, element } from "/page/dom.js";
import { percent, surprise, visible } from "/page/format.js";
import { drawVoices, fetchPrediction } from "/page/playground/text/prediction.js";
import { isAbort } from "/page/server.js";

const SHOW_AFTER = 90;
const HIDE_AFTER = 280;
const PREDICT_AFTER = 120; // A pointer that only passes over tokens asks for nothing.

function describe(token, first) {
  if (token.probability === null || token.probability === undefined) {
    return first
      ? "The first token: nothing comes before it, so it has no probability."
      : "Its probability is not known.";
  }
  const rank = token.top.findIndex(([id]) => id === token.id);
  const place =
    rank === 0
      ? "The likeliest token."
      : rank > 0
        ? `Number ${rank + 1} of the likeliest.`
        : `Not among the ${token.top.length} likeliest.`;
  return `Probability ${percent(token.probability)}, surprise ${surprise(token.probability).toFixed(1)} bits. ${place}`;
}

export class Popover {
  constructor() {
    this.element = element("div", { class: "popover", role: "region", "aria-label": "One token", hidden: true });
    this.element.addEventListener("pointerenter", () => clearTimeout(this.timer));
    this.element.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.leave();
    });
    this.element.addEventListener("keydown", (event) => this.key(event));
    document.body.append(this.element);
    document.addEventListener("pointerdown", (event) => {
      const inside = this.element.contains(event.target) || event.target.closest?.(".token, .settings");
      if (!inside) this.hide();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.element.hidden) return;
      this.hide();
      event.preventDefault(); // It is used up: the text goes on.
    });
    window.addEventListener("hashchange", () => this.hide());
  }

  hover(text, index) {
    clearTimeout(this.timer);
    if (this.pinned) return;
    if (this.text === text && this.index === index) return;
    const wait = this.element.hidden ? SHOW_AFTER : SHOW_AFTER * 2; // Time to cross other tokens on the way into the box.
    this.timer = setTimeout(() => this.show(text, index), wait);
  }

  leave() {
    clearTimeout(this.timer);
    if (this.pinned) return;
    this.timer = setTimeout(() => {
      const focused = document.activeElement;
      // The box may have moved away from a resting pointer, to a token that the arrow keys have reached.
      if (!this.element.contains(focused) && focused !== this.text?.spans[this.index]) this.hide();
    }, HIDE_AFTER);
  }

  /** Opens the box; a pinned one stays until the user closes it or opens another. */
  show(text, index, pinned = false) {
    clearTimeout(this.timer);
    this.mark(false);
    this.pinned = pinned;
    this.text = text;
    this.index = index;
    this.mark(true);
    const token = text.tokens[index];
    const context = text.context();
    const heading = element(
      "h3",
      {},
      visible(token.text),
      " ",
      element("span", { class: "quiet code" }, `id ${token.id}`),
    );
    const close = button("×", () => this.close(), { kind: "plain square close", "aria-label": "Close" });
    const parts = [close, heading, element("p", { class: "numbers" }, describe(token, index === 0))];
    if (token.top.length) parts.push(this.createAlternatives(token, context));
    if (context.branch && token.top.length)
      parts.push(element("p", { class: "quiet hint" }, "Choose one, or press its number, to go on from there."));
    this.voices = element("div", { class: "voices", hidden: !context.model?.counts });
    this.element.replaceChildren(...parts, this.voices);
    this.element.hidden = false;
    this.place();
    this.uncover();
    this.predict(PREDICT_AFTER);
  }

  /** Asks what the settings make of this prediction, and for the voices; again whenever a setting changes. */
  predict(wait) {
    clearTimeout(this.later);
    this.abort?.abort();
    this.later = setTimeout(async () => {
      const request = this.createRequest();
      if (!request) {
        this.fillSampled([]);
        return;
      }
      this.abort = new AbortController();
      const { signal } = this.abort;
      try {
        const reply = await fetchPrediction(request, signal);
        if (signal.aborted) return;
        this.fillSampled(reply.tokens);
        this.voices.replaceChildren(...(reply.shares ? drawVoices(reply) : []));
        this.voices.hidden = !reply.shares;
      } catch (error) {
        if (isAbort(error) || signal.aborted) return;
        this.fillSampled([]);
        this.voices.replaceChildren(element("span", { class: "quiet" }, error.message));
        this.voices.hidden = false;
      }
      this.place();
    }, wait);
  }

  /** Null where there is nothing to ask: no model, no context, no settings and no voices. */
  createRequest() {
    if (!this.text) return null;
    const { model, before, options } = this.text.context();
    const { tokens } = this.text;
    const ids = [...before, ...tokens.slice(0, this.index).map(({ id }) => id)];
    if (!model || !ids.length || !(options || model.counts)) return null;
    // Where the text began that this token belongs to: a branch, and more tokens, are texts of their own.
    const start = tokens.findLastIndex((token, index) => index <= this.index && token.begins);
    const begun = start < 0 ? {} : { written: this.index - start, rest: tokens[start].rest };
    const request = { model: model.id, created: model.created, ids, ...begun };
    if (!options) return request;
    try {
      return { ...request, options: options() };
    } catch {
      return model.counts ? request : null; // A setting is not complete yet.
    }
  }

  /** A second column: how likely each alternative is with the settings as they are now. */
  fillSampled(tokens) {
    const sampled = new Map(tokens.map(([id, , , share]) => [String(id), share]));
    let known = false;
    for (const item of this.element.querySelectorAll(".alternative")) {
      const share = sampled.get(item.dataset.id) ?? null;
      item.style.setProperty("--sampled", String(share ?? 0));
      item.classList.toggle("cut", share === 0);
      item.querySelector(".sampled").textContent = share === null ? "" : share === 0 ? "–" : percent(share);
      const spoken = share === 0 ? ", excluded by the settings" : `, with the settings ${percent(share ?? 0)}`;
      item.setAttribute("aria-label", item.dataset.label + (share === null ? "" : spoken));
      known ||= share !== null;
    }
    this.element.querySelector(".alternatives")?.classList.toggle("with-settings", known);
  }

  createAlternatives(token, context) {
    const rows = [...token.top];
    if (token.probability != null && !rows.some(([id]) => id === token.id))
      rows.push([token.id, token.text, token.probability]);
    const items = rows.map(([id, text, probability], rank) => {
      const chosen = id === token.id;
      const label = `${visible(text)}, ${percent(probability)}${chosen ? ", the token of this text" : ""}`;
      const item = button("", () => this.choose([id, text, probability]), {
        kind: `alternative${chosen ? " chosen" : ""}`,
        style: { "--share": probability.toFixed(4) },
        "aria-label": label,
        disabled: !context.branch,
        "data-id": id,
        "data-label": label,
      });
      item.append(
        element("span", { class: "rank" }, rank < token.top.length ? String(rank + 1) : ""),
        element("span", { class: "word" }, visible(text)),
        element("span", { class: "numbers" }, percent(probability)),
        element("span", { class: "numbers sampled" }),
      );
      return element("li", {}, item);
    });
    const rest = 1 - rows.reduce((sum, row) => sum + row[2], 0);
    if (rest > 0.0005) items.push(element("li", { class: "quiet rest" }, `all others together ${percent(rest)}`));
    return element(
      "div",
      { class: "alternatives" },
      element(
        "div",
        { class: "heads quiet", "aria-hidden": "true" },
        element("span", {}, "model"),
        element("span", {}, "settings"),
      ),
      element("ol", {}, items),
    );
  }

  choose(alternative) {
    const { text, index } = this;
    const branch = text.context().branch;
    const focused = this.element.contains(document.activeElement) || text.element.contains(document.activeElement);
    this.hide();
    branch?.(index, alternative);
    if (focused) text.focus(index, true);
  }

  /** Into the box by keyboard: the first alternative gets the focus. */
  enter(text, index) {
    if (this.text !== text || this.index !== index) this.show(text, index);
    (this.element.querySelector(".alternative:not(:disabled)") ?? this.element.querySelector(".close")).focus();
  }

  pick(text, index, rank) {
    const alternative = text.tokens[index].top[rank];
    if (!alternative || !text.context().branch) return;
    if (this.text !== text || this.index !== index) this.show(text, index);
    this.choose(alternative);
  }

  key(event) {
    if (event.key === "Escape") {
      this.close();
      event.stopPropagation();
      return;
    }
    const items = [...this.element.querySelectorAll(".alternative:not(:disabled)")];
    const at = items.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || at < 0) return;
    items[(at + step + items.length) % items.length].focus();
    event.preventDefault();
  }

  close() {
    const { text, index } = this;
    this.hide();
    text?.focus(index, true);
  }

  mark(open) {
    this.text?.spans[this.index]?.classList.toggle("open", open);
  }

  hideFor(text) {
    if (this.text === text) this.hide();
  }

  hide() {
    clearTimeout(this.timer);
    clearTimeout(this.later);
    this.abort?.abort();
    this.mark(false);
    this.pinned = false;
    this.text = null;
    this.index = null;
    this.element.hidden = true;
  }

  /** On a phone the box covers the lower part of the window: the token moves out from under it. */
  uncover() {
    const box = this.text.spans[this.index].getBoundingClientRect();
    const hidden = box.bottom + 12 - (window.innerHeight - this.element.offsetHeight);
    if (getComputedStyle(this.element).position === "fixed" && hidden > 0) window.scrollBy(0, hidden);
  }

  /** Below the token, or above or beside it where there is more room, and within the window. */
  place() {
    const span = this.text?.spans[this.index];
    if (!span) return;
    const boxes = span.getClientRects();
    const box = boxes[0] ?? span.getBoundingClientRect();
    const [width, height] = [this.element.offsetWidth, this.element.offsetHeight];
    const [wide, high] = [document.documentElement.clientWidth, window.innerHeight];
    let left = Math.max(8, Math.min(box.left - 12, wide - width - 8));
    let top = box.bottom + 6;
    if (top + height > high && box.top - height - 6 > 0) top = box.top - height - 6;
    else if (top + height > high) {
      top = Math.max(8, high - height - 8); // Neither below nor above: beside the token.
      left = box.right + width + 16 < wide ? box.right + 8 : Math.max(8, box.left - width - 8);
    }
    this.element.style.setProperty("left", `${left + window.scrollX}px`);
    this.element.style.setProperty("top", `${top + window.scrollY}px`);
  }
}
