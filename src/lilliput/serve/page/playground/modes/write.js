/** The main mode: a prompt, a text that streams, and branches from any of its tokens. */

import { announce, button, copyText, element, freshId, notice } from "/page/dom.js";
import { Branches } from "/page/playground/branches.js";
import { Marks } from "/page/playground/text/marks.js";
import { createDesk, createPlaceholder, createQuestion, createViews, onCtrlEnter } from "/page/playground/layout.js";
import { Settings } from "/page/playground/settings.js";
import { keep, recall } from "/page/playground/storage.js";
import { TokenText } from "/page/playground/text/token_text.js";
import { Tree } from "/page/playground/tree.js";
import { describeEnd, write } from "/page/playground/writing.js";
import { isAbort, post } from "/page/server.js";

const IDLE = "Write a prompt, or take the one above, and press Write. Every token can then be opened with a click.";

export class WriteMode {
  /** @param {object} shared the playground's parts: `models`, `options`, `popover`, `picker`. */
  constructor(shared) {
    this.shared = shared;
    this.tree = new Tree();
    this.current = null;
    this.settings = new Settings(shared.options, shared.picker.model(), { open: window.innerWidth > 900 });
    this.settings.onchange = () => shared.popover.predict(60);
    this.text = new TokenText({
      label: "Text of the model. Arrow keys go from token to token.",
      popover: shared.popover,
      context: () => this.context(),
    });
    this.marks = new Marks(this.text, () => this.model());
    this.branches = new Branches({
      go: (node) => this.go(node),
      replace: (tree) => this.replace(tree),
      removed: (node) => this.removed(node),
      fail: (message) => this.fail(message),
    });
    this.build();
    this.modelChanged(shared.picker.model());
    this.draw();
    this.restore();
  }

  build() {
    const id = freshId("prompt");
    this.prompt = element("textarea", { id, rows: 3, class: "book prompt-box", spellcheck: "false" });
    this.writeButton = button("Write", () => this.toggle(), {
      kind: "primary",
      title: "Ctrl+Enter writes, Escape stops",
    });
    this.moreButton = button("Write more", () => this.more());
    this.useButton = button("Use as prompt", () => this.use(), { title: "Puts the whole text into the prompt box" });
    this.copyButton = button("Copy text", () => this.copy());
    this.status = element("p", { class: "quiet status numbers" });
    this.problem = element("div", {});
    this.placeholder = createPlaceholder(IDLE);
    const keys = element("span", { class: "quiet keys" }, "Ctrl+Enter writes · Escape stops");
    const [views, legend] = createViews([this.text], (view) => {
      this.marks.place();
      if (view === "boundaries") this.fetchPromptTokens();
    });
    this.noveltySwitch = this.createSwitch("novelty", "Copied", "Underlines what is copied from the training text");
    this.verseSwitch = this.createSwitch("verse", "Verse", "Rhymes and syllables in the margin");
    this.element = createDesk(
      createQuestion("Prompt", this.prompt, [this.writeButton, this.moreButton, keys]),
      this.settings,
      [
        this.problem,
        element(
          "div",
          { class: "row apart bar-of-views" },
          element("div", { class: "row" }, views, this.noveltySwitch, this.verseSwitch),
          element("div", { class: "row" }, this.useButton, this.copyButton),
        ),
        element("div", { class: "sheet" }, this.placeholder, this.marks.element),
        legend,
        this.marks.note,
        this.status,
        this.branches.element,
      ],
    );
    onCtrlEnter(this.element, () => this.start());
  }

  createSwitch(name, title, help) {
    const input = element("input", {
      type: "checkbox",
      onchange: () => {
        this.marks[name] = input.checked;
        if (!this.abort) this.marks.refresh();
      },
    });
    return element("label", { class: "check", title: help }, input, title);
  }

  model() {
    const root = this.current ? this.tree.rootOf(this.current) : null;
    if (!root) return this.shared.picker.model();
    const { vocab } = root.prompt;
    return (
      this.shared.models.find((model) => model.id === root.model && model.vocab_size === (vocab ?? model.vocab_size)) ??
      null
    );
  }

  modelChanged(model) {
    if (!model) return;
    if (!this.prompt.value || this.prompt.value === this.lastDefault) this.prompt.value = model.prompt ?? "";
    this.lastDefault = model.prompt ?? "";
    this.settings.setModel(model);
    this.verseSwitch.hidden = !(this.model() ?? model).verse;
  }

  /** What the popover needs to know about this text. */
  context() {
    const model = this.model();
    const root = this.current ? this.tree.rootOf(this.current) : null;
    return {
      model,
      before: root?.prompt.ids ?? [],
      options: () => this.settings.options(),
      branch: model ? (index, alternative) => this.branch(index, alternative) : null,
    };
  }

  toggle() {
    if (this.abort) this.stop();
    else this.start();
  }

  stop() {
    this.abort?.abort();
  }

  /** A new text from the prompt. */
  start() {
    const model = this.shared.picker.model();
    if (!model) return;
    const root = this.tree.root(model, this.prompt.value);
    this.run(root, 0, [], { model: model.id, prompt: this.prompt.value }, true);
  }

  /** The same text up to a token, then the alternative instead of it. */
  branch(index, [id, text, probability]) {
    let parent = this.current;
    while (parent.parent !== null && index <= parent.keep) parent = this.tree.get(parent.parent);
    const top = this.text.tokens[index].top;
    const before = [
      ...this.tree.rootOf(parent).prompt.ids,
      ...this.text.tokens.slice(0, index).map((token) => token.id),
    ];
    this.run(parent, index, [{ id, text, probability, top }], { model: parent.model, ids: [...before, id] });
  }

  /** More tokens at the end of this text. */
  more() {
    const node = this.current;
    if (!node || node.parent === null) return;
    this.run(node, null, [], { model: node.model, ids: this.tree.ids(node) });
  }

  /** Streams into a new branch of `parent`, or into `parent` itself if `keep` is null. */
  async run(parent, keep, tokens, body, fresh = false) {
    this.stop();
    const { tree } = this;
    const root = tree.rootOf(parent);
    let node = parent;
    const abort = new AbortController();
    try {
      const [seed, options] = [this.settings.takeSeed(), this.settings.options()];
      if (keep !== null) node = this.tree.add(parent, keep, { tokens: [...tokens], seed, options });
      this.abort = abort;
      this.show(node);
      this.text.setBusy(true);
      this.status.textContent = "Writing…";
      announce("Writing");
      const end = await write(
        { ...body, seed, options },
        {
          prompt: (prompt) => fresh && this.promptRead(node, root, prompt),
          token: (token) => this.tokenRead(node, token),
          changed: () => this.current === node && this.text.draw(),
        },
        abort.signal,
      );
      node.reason = end.reason;
      this.finished(abort, describeEnd(end));
    } catch (error) {
      if (node !== parent && node.tokens.length === 0 && this.tree === tree) this.undo(node, root);
      if (!isAbort(error)) this.fail(error.message);
      this.finished(abort, isAbort(error) ? "Stopped. “Write more” goes on from here." : "");
    }
  }

  promptRead(node, root, prompt) {
    Object.assign(root.prompt, { ids: prompt.ids, text: prompt.text, backwards: prompt.backwards });
    if (this.current !== node) return;
    this.text.show(prompt.text, node.tokens, prompt.backwards);
    if (this.text.view === "boundaries") this.fetchPromptTokens();
  }

  tokenRead(node, token) {
    node.tokens.push(token);
    if (this.current !== node) return;
    if (!this.following) this.follow();
    this.text.append(token);
    this.status.textContent = `Writing… ${this.text.tokens.length} tokens`;
  }

  /** Scrolls with the text, if its end was in view; once a frame, because measuring is slow. */
  follow() {
    const bottom = () => this.text.element.getBoundingClientRect().bottom;
    const seen = bottom() <= window.innerHeight;
    this.following = true;
    requestAnimationFrame(() => {
      this.following = false;
      if (seen && bottom() > window.innerHeight) window.scrollBy(0, bottom() - window.innerHeight + 60);
    });
  }

  finished(abort, message) {
    if (this.abort !== abort) return; // Another text has begun since.
    this.abort = null;
    this.text.setBusy(false);
    this.status.textContent = message;
    announce(message);
    this.draw();
    this.marks.refresh();
    this.keep();
  }

  /** Takes back a branch that came to nothing. */
  undo(node, root) {
    this.tree.remove(node);
    if (!this.tree.children(root).length) this.tree.remove(root);
    if (this.current === node) this.current = this.tree.get(node.parent);
    this.draw();
    this.keep();
  }

  show(node) {
    this.current = node;
    this.problem.replaceChildren();
    this.text.setBusy(false);
    const { prompt } = this.tree.rootOf(node);
    this.text.show(prompt.text, this.tree.tokens(node), prompt.backwards);
    this.marks.clear();
    if (this.text.view === "boundaries") this.fetchPromptTokens();
    this.draw();
  }

  /** Goes to a branch that is there already. */
  go(node) {
    this.stop();
    this.abort = null;
    const root = this.tree.rootOf(node);
    this.prompt.value = root.prompt.typed;
    this.shared.picker.choose(root.model);
    this.show(node);
    this.status.textContent = "";
    this.marks.refresh();
    if (!this.model()) this.fail(`The model “${root.model}” is not open here. You can read its texts, but not go on.`);
    keep("current", node.id);
  }

  /** The branches of last time; the user may have begun to write before they are read. */
  async restore() {
    const [kept, current] = await Promise.all([recall("tree"), recall("current")]);
    const untouched = !this.tree.ordered().length && this.prompt.value === this.lastDefault;
    if (!kept || !untouched) return;
    try {
      this.tree = Tree.load(kept);
    } catch {
      return; // From another version of this page.
    }
    const node = this.tree.get(current);
    if (node && !this.shared.wanted) this.go(node);
    else this.draw();
  }

  keep() {
    keep("tree", this.tree.save());
    keep("current", this.current?.id ?? null);
  }

  replace(tree) {
    this.stop();
    this.tree = tree;
    this.current = null;
    const last = tree.ordered().at(-1);
    if (last) this.go(last);
    else this.draw();
    this.keep();
    announce("Branches loaded");
  }

  removed(node) {
    if (this.current && !this.tree.get(this.current.id)) {
      this.stop();
      this.current = null;
      const next = this.tree.get(node.parent) ?? this.tree.ordered()[0];
      if (next) this.go(next);
      else {
        this.text.clear();
        this.marks.clear();
        this.status.textContent = "";
      }
    }
    this.draw();
    this.keep();
  }

  use() {
    this.prompt.value = this.text.text();
    this.prompt.focus();
    this.prompt.setSelectionRange(this.prompt.value.length, this.prompt.value.length);
  }

  async copy() {
    try {
      await copyText(this.text.text());
      this.status.textContent = "The text is copied.";
      announce("The text is copied");
    } catch (error) {
      this.fail(error.message);
    }
  }

  fail(message) {
    this.problem.replaceChildren(notice(message));
  }

  async fetchPromptTokens() {
    const node = this.current;
    if (!node || !this.model()) return;
    try {
      const prompt = this.tree.rootOf(node).prompt.text;
      const reply = await post("/api/tokens", { model: this.model().id, text: prompt });
      if (this.current === node && this.text.prompt === prompt) this.text.setPromptTokens(reply.tokens);
    } catch (error) {
      this.fail(error.message);
    }
  }

  draw() {
    const writing = Boolean(this.abort);
    const written = Boolean(this.current);
    this.writeButton.textContent = writing ? "Stop" : "Write";
    this.writeButton.classList.toggle("stop", writing);
    this.moreButton.disabled = writing || !this.current || this.current.parent === null || !this.model();
    this.useButton.disabled = this.copyButton.disabled = !written;
    this.placeholder.hidden = written;
    this.marks.element.hidden = !written;
    const model = this.model() ?? this.shared.picker.model();
    this.verseSwitch.hidden = !model?.verse;
    this.branches.draw(this.tree, this.current);
  }
}
