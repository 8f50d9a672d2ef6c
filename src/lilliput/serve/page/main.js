/** The three views and the address: `#playground`, `#runs`, `#runs/NAME`, `#train`. */

import { element, notice } from "/page/dom.js";
import { createPlayground } from "/page/playground/view.js";
import { createRuns } from "/page/runs/view.js";
import { createTrain } from "/page/runs/train.js";

const VIEWS = {
  playground: { title: "Playground", create: createPlayground },
  runs: { title: "Runs", create: createRuns },
  train: { title: "Train", create: createTrain },
};

const main = document.getElementById("main");
const built = new Map();
let shown = null;

function parts() {
  const [name, ...rest] = location.hash
    .slice(1)
    .split("/")
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
  return [Object.hasOwn(VIEWS, name) ? name : "playground", rest];
}

function build(name) {
  if (built.has(name)) return built.get(name);
  const root = element("section", { id: `view-${name}`, "aria-label": VIEWS[name].title });
  main.append(root);
  const view = { root, ...VIEWS[name].create(root) };
  built.set(name, view);
  return view;
}

function show() {
  const [name, rest] = parts();
  if (shown && shown !== name) {
    built.get(shown).root.hidden = true;
    built.get(shown).hide?.();
  }
  for (const link of document.querySelectorAll(".masthead nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${[...rest].reverse().concat(VIEWS[name].title).join(" · ")} · Lilliput`;
  const view = build(name);
  view.root.hidden = false;
  shown = name;
  view.show?.(rest);
}

// The address names the view, so the link to the content must not change it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", show);
try {
  show();
} catch (error) {
  main.append(notice(`This page failed to start: ${error.message}. Load it again in a current browser.`));
  throw error;
}
