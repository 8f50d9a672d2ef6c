/** A text as tokens: coloured, divided or plain, and each token can be inspected by pointer, touch and keyboard. */

import { element } from "/page/dom.js";
import { percent, points, surprise, visible } from "/page/format.js";
import { joined, readingOrder } from "/page/playground/text/reading_order.js";

const FULL_HEAT = 8; // Bits of surprise at which the colour is strongest.

/** A surprise in bits as a share of the full colour. */
export function heat(bits) {
  return bits === null ? 0 : Math.min(1, Math.max(0, bits / FULL_HEAT));
}

/** The parts of a text between the borders of copied spans and line ends: [text, copied, isNewline]. */
function segments(text, start, spans) {
  const result = [];
  let position = start;
  for (const character of text) {
    const copied = spans.some(([from, to]) => position >= from && position < to);
    const last = result.at(-1);
    if (character === "\n" || !last || last[2] || last[1] !== copied)
      result.push([character, copied, character === "\n"]);
    else last[0] += character;
    position += 1;
  }
  return result;
}

function fillText(target, text, start, spans) {
  for (const [part, copied, newline] of segments(text, start, spans)) {
    if (newline) target.append(element("i", { class: "newline" }, part));
    else target.append(copied ? element("span", { class: "copied" }, part) : part);
  }
}

export class TokenText {
  /**
   * @param {object} settings `label` for screen readers, `popover`, and `context()` with what the popover needs to
   * know: the model, the ids before the tokens, and `branch(index, alternative)` or null.
   */
  constructor({ label, popover, context }) {
    this.context = context;
    this.popover = popover;
    this.view = "surprise";
    this.element = element("div", { class: "tokens", "data-view": this.view, role: "group", "aria-label": label });
    this.clear();
    this.listen();
  }

  clear() {
    this.show("", []);
  }

  /** Shows other tokens; `backwards` if the model writes each line from its end. */
  show(prompt, tokens, backwards = false) {
    Object.assign(this, { prompt, promptTokens: null, copied: [], tokens: [...tokens], backwards });
    this.draw();
  }

  setView(view) {
    this.view = view;
    this.draw();
  }

  setCopied(spans) {
    this.copied = spans;
    this.draw();
  }

  setPromptTokens(tokens) {
    this.promptTokens = tokens;
    if (this.view === "boundaries") this.draw();
  }

  text() {
    return this.prompt + joined(this.tokens, this.backwards);
  }

  draw() {
    const focused = this.indexOf(document.activeElement);
    this.popover.hideFor(this);
    this.element.dataset.view = this.view;
    this.element.replaceChildren();
    this.spans = [];
    let start = this.drawPrompt();
    const starts = [];
    for (const index of readingOrder(this.tokens, this.backwards)) {
      starts[index] = start;
      start += points(this.tokens[index].text);
    }
    this.tokens.forEach((token, index) => this.drawToken(token, starts[index]));
    this.rove(0);
    this.setBusy(Boolean(this.busy));
    if (focused !== null) this.focus(focused, true);
  }

  /** Returns the length of the prompt in code points. */
  drawPrompt() {
    if (this.view === "boundaries" && this.promptTokens) {
      this.open = null;
      for (const token of this.promptTokens) this.place(this.createToken(token, 0, "token prompt"), token);
    } else if (this.prompt) {
      const span = element("span", { class: "prompt" });
      fillText(span, this.prompt, 0, this.copied);
      this.element.append(span);
    }
    this.open = null;
    return points(this.prompt);
  }

  createToken(token, start, kind) {
    const span = element("span", { class: kind, "data-id": token.id, "data-index": this.spans.length });
    const bits = surprise(token.probability);
    const share = heat(bits);
    if (share > 0.02) span.style.setProperty("--heat", share.toFixed(3));
    if (share > 0.25) span.classList.add("hot");
    const boundaries = this.view === "boundaries";
    const target = boundaries ? element("span", { class: "piece" }) : span;
    if (boundaries) span.append(target);
    fillText(target, token.text, start, this.copied);
    if (token.text === "") span.classList.add("part");
    return span;
  }

  drawToken(token, start) {
    const span = this.createToken(token, start, "token");
    this.spans.push(span);
    this.place(span, token);
  }

  /** Puts a token after the others, or before the latest one of a line that is written from its end. */
  place(span, token) {
    const newline = token.text.includes("\n");
    if (this.open && !newline) this.open.before(span);
    else this.element.append(span);
    if (newline && this.view === "boundaries") span.after(element("br"));
    this.open = this.backwards && !newline ? span : null;
  }

  append(token) {
    this.tokens.push(token);
    this.drawToken(token, 0); // Nothing is marked as copied yet.
    if (this.tokens.length === 1) this.rove(0);
    this.placeCaret();
  }

  placeCaret() {
    if (!this.caret) return;
    if (this.open) this.open.before(this.caret);
    else this.element.append(this.caret);
  }

  /** A caret at the place of the next token while the text is being written. */
  setBusy(busy) {
    this.busy = busy;
    this.element.setAttribute("aria-busy", String(busy));
    this.caret?.remove();
    this.caret = busy ? element("span", { class: "caret", "aria-hidden": "true" }) : null;
    this.placeCaret();
  }

  /** Colours the tokens by weights in [-1, 1] instead of their surprise: blue, or orange if `signed` and positive. */
  setTint(weights, signed) {
    this.element.dataset.view = "tint";
    this.spans.forEach((span, index) => {
      span.style.setProperty("--heat", Math.abs(weights[index] ?? 0).toFixed(3));
      span.classList.toggle("positive", signed && weights[index] > 0);
    });
  }

  /** One token at a time is a stop of the Tab key, and a button for screen readers; the rest stays text. */
  rove(index) {
    const old = this.spans[this.current];
    for (const name of ["tabindex", "role", "aria-label"]) old?.removeAttribute(name);
    this.current = index;
    const span = this.spans[index];
    if (!span) return;
    const token = this.tokens[index];
    const chance = token?.probability == null ? "" : `, probability ${percent(token.probability)}`;
    span.setAttribute("tabindex", "0");
    span.setAttribute("role", "button");
    span.setAttribute("aria-label", `${visible(token?.text ?? "")}, token ${index + 1}${chance}`);
  }

  /** Moves the focus to a token; `silent` does not open the popover. */
  focus(index, silent = false) {
    const place = Math.max(0, Math.min(this.spans.length - 1, index));
    this.rove(place);
    this.silent = true;
    this.spans[place]?.focus();
    this.silent = false;
    // Not by :focus-visible: after a click, WebKit does not show a focus that a script has moved.
    if (!silent && this.spans[place]) this.popover.show(this, place);
  }

  indexOf(target) {
    const span = target instanceof Element ? target.closest(".token[data-index]:not(.prompt)") : null;
    return span && this.element.contains(span) ? Number(span.dataset.index) : null;
  }

  listen() {
    const at = (action) => (event) => {
      const index = this.indexOf(event.target);
      if (index !== null) action(index, event);
    };
    this.element.addEventListener(
      "pointerover",
      at((index, event) => {
        if (event.pointerType === "mouse") this.popover.hover(this, index);
      }),
    );
    this.element.addEventListener("pointerleave", () => this.popover.leave());
    this.element.addEventListener(
      "focusin",
      at((index, event) => {
        if (!this.silent && event.target.matches(":focus-visible")) this.popover.show(this, index);
      }),
    );
    this.element.addEventListener(
      "click",
      at((index) => {
        if (!window.getSelection().isCollapsed) return; // The user marks text.
        this.focus(index, true);
        this.popover.show(this, index, true);
      }),
    );
    this.element.addEventListener(
      "keydown",
      at((index, event) => this.key(index, event)),
    );
  }

  key(index, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const order = readingOrder(this.tokens, this.backwards);
    const at = order.indexOf(index);
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: order.length - 1 };
    if (event.key in moves) this.focus(order[Math.max(0, Math.min(order.length - 1, moves[event.key]))]);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp")
      this.focus(this.beside(order, at, event.key === "ArrowDown"));
    else if (event.key === "Enter" || event.key === " ") this.popover.enter(this, index);
    else if (/^[0-9]$/.test(event.key)) this.popover.pick(this, index, (Number(event.key) + 9) % 10);
    else return;
    event.preventDefault();
  }

  /** The token of the next or previous line that is nearest. */
  beside(order, at, down) {
    const from = this.spans[order[at]].getBoundingClientRect();
    const step = down ? 1 : -1;
    let best = order[at];
    let distance = Infinity;
    let line = null;
    for (let place = at + step; place >= 0 && place < order.length; place += step) {
      const box = this.spans[order[place]].getClientRects()[0];
      if (!box || Math.abs(box.top - from.top) < from.height / 2) continue;
      line ??= box.top;
      if (Math.abs(box.top - line) > from.height / 2) break;
      if (Math.abs(box.left - from.left) < distance) [best, distance] = [order[place], Math.abs(box.left - from.left)];
    }
    return best;
  }

  /** Where the character at a position (in code points) stands, from the top of this element; null if nowhere. */
  topOf(position) {
    const walker = document.createTreeWalker(this.element, NodeFilter.SHOW_TEXT);
    let before = 0;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const characters = Array.from(node.data);
      if (position < before + characters.length) {
        const at = characters.slice(0, position - before).join("").length;
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + characters[position - before].length);
        const box = range.getClientRects()[0];
        return box ? box.top - this.element.getBoundingClientRect().top : null;
      }
      before += characters.length;
    }
    return null;
  }
}
