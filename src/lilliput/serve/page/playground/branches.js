/** The tree of branches, drawn on a ruler of tokens: one row for each, a click goes there. */

import { button, download, element, freshId } from "/page/dom.js";
import { confirm } from "/page/dialogs.js";
import { plural } from "/page/format.js";
import { joined } from "/page/playground/text/reading_order.js";
import { Tree } from "/page/playground/tree.js";

const ROW = 46; // Pixels; the rows are this high in the style sheet too.
const LONGEST_EXCERPT = 60;
const LARGEST_FILE = 64 * 1024 * 1024;

function excerpt(text) {
  const plain = text.replace(/\s+/g, " ").trim();
  const characters = Array.from(plain);
  return characters.length > LONGEST_EXCERPT ? `${characters.slice(0, LONGEST_EXCERPT).join("")}…` : plain || "…";
}

/** Where a branch begins and ends, and with what settings it was written. */
function describe(node, from, to) {
  const options = Object.entries(node.options).map(
    ([name, value]) => `${name.replaceAll("_", " ")} ${JSON.stringify(value)}`,
  );
  const place = to > from ? `token ${from + 1} to ${to}` : null;
  return [place, node.seed === null ? null : `seed ${node.seed}`, ...options].filter(Boolean).join(" · ");
}

export class Branches {
  /** @param {object} actions `go(node)`, `replace(tree)`, `removed()`, `fail(message)`. */
  constructor(actions) {
    this.actions = actions;
    const id = freshId("branches");
    this.list = element("div", { class: "tree" });
    this.file = element("input", {
      type: "file",
      accept: ".json,application/json",
      class: "unseen",
      tabindex: -1,
      "aria-label": "File of branches",
    });
    this.file.addEventListener("change", () => this.load());
    this.saveButton = button("Save", () => download("branches.json", this.tree.save()), {
      title: "Save all branches as one file",
    });
    const loadButton = button("Load", () => this.file.click(), { title: "Load branches from a file" });
    this.element = element(
      "section",
      { class: "branches", "aria-labelledby": id },
      element(
        "div",
        { class: "row apart" },
        element("h2", { id }, "Branches"),
        element("div", { class: "row" }, this.saveButton, loadButton, this.file),
      ),
      this.list,
    );
  }

  draw(tree, current) {
    this.tree = tree;
    this.current = current;
    const nodes = tree.ordered();
    const writing = nodes.filter((node) => node.parent !== null);
    this.saveButton.disabled = writing.length === 0;
    if (nodes.length) this.list.setAttribute("role", "list");
    else this.list.removeAttribute("role");
    if (!nodes.length) {
      this.list.replaceChildren(
        element(
          "p",
          { class: "empty" },
          "No branches yet. Write a text, then choose another word in it: the text goes on from there, and both stay here.",
        ),
      );
      return;
    }
    const length = Math.max(10, ...nodes.map((node) => tree.span(node)[1]));
    const rows = new Map(nodes.map((node, index) => [node.id, index]));
    this.list.replaceChildren(...nodes.map((node) => this.drawRow(node, rows, length)));
  }

  drawRow(node, rows, length) {
    const { tree } = this;
    const root = node.parent === null;
    const [from, to] = tree.span(node);
    const isCurrent = this.current?.id === node.id;
    const text = root ? node.prompt.typed : joined(node.tokens, tree.rootOf(node).prompt.backwards);
    const facts = root ? node.model : describe(node, from, to);
    const go = button("", () => this.actions.go(node), {
      kind: "branch",
      "aria-current": isCurrent ? "true" : null,
      title: root ? "Go to this prompt" : "Go to this branch",
    });
    go.append(
      element("span", { class: root ? "excerpt root" : "excerpt" }, excerpt(text)),
      element("span", { class: "quiet numbers facts" }, facts),
    );
    const share = (value) => `${(value / length) * 100}%`;
    const bar = element("div", {
      class: root ? "bar root" : "bar",
      style: { left: share(from), width: root ? "3px" : `max(3px, ${share(to - from)})` },
    });
    const line = root
      ? null
      : element("div", {
          class: "stem",
          style: { left: share(from), height: `${(rows.get(node.id) - rows.get(node.parent)) * ROW}px` },
        });
    const remove = button("×", () => this.remove(node), {
      kind: "plain square",
      "aria-label": `Delete this branch: ${excerpt(text)}`,
      title: "Delete",
    });
    return element(
      "div",
      { class: isCurrent ? "branch-row current" : "branch-row", role: "listitem" },
      go,
      remove,
      element("div", { class: "lane", "aria-hidden": "true" }, line, bar),
    );
  }

  async remove(node) {
    const others = this.tree.family(node).length - 1;
    if (others > 0) {
      const text = `${plural(others, "other branch", "other branches")} began in it and would be deleted too.`;
      if (!(await confirm("Delete this branch?", text, "Delete"))) return;
    }
    this.tree.remove(node);
    this.actions.removed(node);
  }

  async load() {
    const file = this.file.files[0];
    this.file.value = "";
    if (!file) return;
    try {
      if (file.size > LARGEST_FILE) throw new Error("This file is too large to be a file of branches (over 64 MiB).");
      this.actions.replace(Tree.load(await file.text()));
    } catch (error) {
      this.actions.fail(error.message);
    }
  }
}
