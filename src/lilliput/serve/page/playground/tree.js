/**
 * The branches of one session. A node keeps the first `keep` tokens of its parent's text and adds its own; a root holds
 * the prompt. So all branches share what they have in common, and the tree can be saved as it is.
 */

const FORMAT = "lilliput branches";
const VERSION = 1;
const LARGEST_ID = 1e9;
const DEEPEST = 1000; // Branches of branches.

function check(condition, what) {
  if (!condition) throw new Error(`This is not a file of branches that this page can read: ${what}.`);
}

const isText = (value) => typeof value === "string";
const isId = (value) => Number.isInteger(value) && value >= 0;
const isChance = (value) => typeof value === "number" && value >= 0 && value <= 1.000001;
const isRow = (row) => Array.isArray(row) && row.length === 3 && isId(row[0]) && isText(row[1]) && isChance(row[2]);

function readToken(token) {
  check(token && isId(token.id) && isText(token.text), "a token has no id or no text");
  check(token.probability === null || isChance(token.probability), "a token has no valid probability");
  check(
    Array.isArray(token.top) && token.top.length <= 100 && token.top.every(isRow),
    "the alternatives of a token are wrong",
  );
  const begins = token.begins === true ? { begins: true, rest: isText(token.rest) ? token.rest : "" } : {};
  return { id: token.id, text: token.text, probability: token.probability, top: token.top, ...begins };
}

function readPrompt(prompt) {
  check(prompt && isText(prompt.text) && isText(prompt.typed), "a prompt has no text");
  check(Array.isArray(prompt.ids) && prompt.ids.every(isId), "a prompt has no ids");
  return {
    text: prompt.text,
    typed: prompt.typed,
    ids: prompt.ids,
    backwards: prompt.backwards === true,
    vocab: isId(prompt.vocab) ? prompt.vocab : undefined,
  };
}

export class Tree {
  constructor() {
    this.nodes = new Map();
    this.next = 1;
  }

  get(id) {
    return this.nodes.get(id) ?? null;
  }

  insert(node) {
    const made = {
      id: this.next,
      parent: null,
      depth: 0,
      keep: 0,
      tokens: [],
      prompt: null,
      seed: null,
      options: {},
      reason: null,
      ...node,
    };
    this.nodes.set(made.id, made);
    this.next = made.id + 1;
    return made;
  }

  /** The root of a model and a prompt, as typed. The size of the vocabulary tells another model of the same name. */
  root({ id: model, vocab_size: vocab }, typed) {
    for (const node of this.nodes.values()) {
      if (node.model === model && node.prompt?.typed === typed && node.prompt.vocab === vocab) return node;
    }
    return this.insert({ model, prompt: { typed, text: typed, ids: [], backwards: false, vocab } });
  }

  add(parent, keep, details) {
    return this.insert({ ...details, parent: parent.id, depth: parent.depth + 1, keep, model: parent.model });
  }

  rootOf(node) {
    let at = node;
    while (at.parent !== null) at = this.get(at.parent);
    return at;
  }

  children(node) {
    return [...this.nodes.values()].filter((other) => other.parent === node.id);
  }

  /** All tokens of a branch after the prompt. */
  tokens(node) {
    if (node.parent === null) return node.tokens;
    return [...this.tokens(this.get(node.parent)).slice(0, node.keep), ...node.tokens];
  }

  /** Where the own tokens of a branch begin and end. */
  span(node) {
    return [node.keep, node.keep + node.tokens.length];
  }

  ids(node) {
    return [...this.rootOf(node).prompt.ids, ...this.tokens(node).map((token) => token.id)];
  }

  /** The node and all that branches from it. */
  family(node) {
    return [node, ...this.children(node).flatMap((child) => this.family(child))];
  }

  remove(node) {
    for (const member of this.family(node)) this.nodes.delete(member.id);
  }

  /** Nodes in the order of a drawing: each followed by its branches. */
  ordered() {
    return [...this.nodes.values()].filter((node) => node.parent === null).flatMap((root) => this.family(root));
  }

  save() {
    return JSON.stringify({ format: FORMAT, version: VERSION, nodes: this.ordered() });
  }

  /** Reads a saved tree; everything in it is checked, because a file can come from anywhere. */
  static load(text) {
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      check(false, "it is not JSON");
    }
    check(value?.format === FORMAT, "its format is another one");
    check(value.version === VERSION, "it comes from another version");
    check(Array.isArray(value.nodes) && value.nodes.length <= 10000, "it has no list of branches");
    const tree = new Tree();
    for (const node of value.nodes) tree.read(node);
    return tree;
  }

  read(node) {
    const numbered = node && isId(node.id) && node.id <= LARGEST_ID && !this.nodes.has(node.id);
    check(numbered, "a branch has no number of its own");
    check(isText(node.model) && Array.isArray(node.tokens), "a branch has no model or no tokens");
    const parent = node.parent === null ? null : this.get(node.parent);
    check(node.parent === null || parent, "a branch comes before its parent");
    check(
      isId(node.keep) && node.keep <= (parent ? this.span(parent)[1] : 0),
      "a branch begins after its parent's end",
    );
    check(!parent || parent.model === node.model, "a branch has another model than its parent");
    check(!parent || parent.depth < DEEPEST, "too many branches begin in one another");
    const options =
      node.options && typeof node.options === "object" && !Array.isArray(node.options) ? node.options : {};
    const next = Math.max(this.next, node.id + 1);
    this.nodes.set(node.id, {
      id: node.id,
      parent: node.parent,
      depth: parent ? parent.depth + 1 : 0,
      keep: node.keep,
      model: node.model,
      tokens: node.tokens.map(readToken),
      prompt: parent ? null : readPrompt(node.prompt),
      seed: isId(node.seed) ? node.seed : null,
      options,
      reason: isText(node.reason) ? node.reason : null,
    });
    this.next = next;
  }
}
