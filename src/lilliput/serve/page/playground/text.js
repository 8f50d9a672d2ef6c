/** A text as tokens: coloured, divided or plain, and each token can be inspected by pointer, touch and keyboard. */

import { element } from "/page/dom.js";
import { percent, points, surprise, visible } from "/page/format.js";

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
    this.prompt = "";
    this.promptTokens = null;
    this.tokens = [];
    this.copied = [];
    this.draw();
  }

  /** Shows other tokens. */
  show(prompt, tokens, copied = []) {
    Object.assign(this, { prompt, promptTokens: null, copied, tokens: [...tokens] });
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
    return this.prompt + this.tokens.map((token) => token.text).join("");
  }

  draw() {
    const focused = this.indexOf(document.activeElement);
    this.popover.hideFor(this);
    this.element.dataset.view = this.view;
    this.element.replaceChildren();
    this.spans = [];
    this.length = 0;
    this.drawPrompt();
    this.tokens.forEach((token) => this.drawToken(token));
    this.rove(0);
    this.setBusy(Boolean(this.busy));
    if (focused !== null) this.focus(focused, true);
  }

  drawPrompt() {
    if (!this.prompt) return;
    if (this.view === "boundaries" && this.promptTokens) {
      for (const token of this.promptTokens) this.drawToken(token, "token prompt");
      this.spans = [];
      return;
    }
    const span = element("span", { class: "prompt" });
    fillText(span, this.prompt, 0, this.copied);
    this.element.append(span);
    this.length = points(this.prompt);
  }

  drawToken(token, kind = "token") {
    const span = element("span", { class: kind, "data-id": token.id, "data-index": this.spans.length });
    const bits = surprise(token.probability);
    const share = heat(bits);
    if (share > 0.02) span.style.setProperty("--heat", share.toFixed(3));
    if (share > 0.25) span.classList.add("hot");
    const boundaries = this.view === "boundaries";
    const target = boundaries ? element("span", { class: "piece" }) : span;
    if (boundaries) span.append(target);
    fillText(target, token.text, this.length, this.copied);
    if (token.text === "") span.classList.add("part");
    this.length += points(token.text);
    this.spans.push(span);
    this.element.append(span);
    if (boundaries && token.text.includes("\n")) this.element.append(element("br"));
  }

  append(token) {
    this.tokens.push(token);
    this.drawToken(token);
    if (this.tokens.length === 1) this.rove(0);
    if (this.caret) this.element.append(this.caret);
  }

  /** A caret at the end while the text is being written. */
  setBusy(busy) {
    this.busy = busy;
    this.element.setAttribute("aria-busy", String(busy));
    this.caret?.remove();
    this.caret = busy ? element("span", { class: "caret", "aria-hidden": "true" }) : null;
    if (this.caret) this.element.append(this.caret);
  }

  /** Colours the tokens by weights in [0, 1] instead of their surprise; null ends that. */
  setTint(weights) {
    this.element.dataset.view = weights ? "tint" : this.view;
    this.spans.forEach((span, index) => {
      const share = weights ? (weights[index] ?? 0) : heat(surprise(this.tokens[index].probability));
      span.style.setProperty("--heat", share.toFixed(3));
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
    this.silent = silent;
    this.spans[place]?.focus();
    this.silent = false;
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
        this.popover.show(this, index);
      }),
    );
    this.element.addEventListener(
      "keydown",
      at((index, event) => this.key(index, event)),
    );
  }

  key(index, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: this.spans.length - 1 };
    if (event.key in moves) this.focus(moves[event.key]);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp")
      this.focus(this.beside(index, event.key === "ArrowDown"));
    else if (event.key === "Enter" || event.key === " ") this.popover.enter(this, index);
    else if (/^[0-9]$/.test(event.key)) this.popover.pick(this, index, (Number(event.key) + 9) % 10);
    else return;
    event.preventDefault();
  }

  /** The token of the next or previous line that is nearest. */
  beside(index, down) {
    const from = this.spans[index].getBoundingClientRect();
    const step = down ? 1 : -1;
    let best = index;
    let distance = Infinity;
    let line = null;
    for (let place = index + step; place >= 0 && place < this.spans.length; place += step) {
      const box = this.spans[place].getClientRects()[0];
      if (!box || Math.abs(box.top - from.top) < from.height / 2) continue;
      line ??= box.top;
      if (Math.abs(box.top - line) > from.height / 2) break;
      if (Math.abs(box.left - from.left) < distance) [best, distance] = [place, Math.abs(box.left - from.left)];
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
