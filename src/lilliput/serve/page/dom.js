/** Building the page's elements. Text only ever enters as text: what a model writes is never read as HTML. */

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.replace(/^on/, ""), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/**
 * An element with its attributes and children. A function as a value listens to an event (`onclick`), `style` is an
 * object of properties, and `null`, `undefined` and `false` leave an attribute or a child out.
 */
export function element(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

let count = 0;

/** A new id, to tie a label to its control. */
export function freshId(stem) {
  count += 1;
  return `${stem}-${count}`;
}

/** Tells a screen reader something short. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** A button; `kind` is "primary", "plain", "danger" or nothing. */
export function button(text, onclick, { kind = "", ...attributes } = {}) {
  return element("button", { type: "button", class: kind, onclick, ...attributes }, text);
}

/** A box with a message for the user: "error", "hint" or "good". */
export function notice(text, kind = "error") {
  return element("p", { class: `notice ${kind}`, role: kind === "error" ? "alert" : null }, text);
}

/** Calls `action` once the calls have paused for `wait` milliseconds. */
export function debounced(action, wait) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), wait);
  };
}

/** Hands the user a file. */
export function download(name, text, type = "application/json") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** Copies text; the older way serves pages that are not on loopback or https. */
export async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const box = element("textarea", { class: "unseen" });
  box.value = text;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  if (!done) throw new Error("The browser does not let this page copy. Select the text and press Ctrl+C.");
  return undefined;
}
