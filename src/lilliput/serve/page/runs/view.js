/** Runs: the list at `#runs`, one run at `#runs/NAME`. */

import { element } from "/page/dom.js";
import { RunList } from "/page/runs/list.js";
import { RunPage } from "/page/runs/run.js";

export function createRuns(root) {
  const list = new RunList();
  let page = null;
  const place = element("div", {});
  root.append(list.element, place);

  function leave() {
    page?.close();
    page = null;
    place.replaceChildren();
    list.close();
  }

  return {
    show([name]) {
      leave();
      list.element.hidden = Boolean(name);
      if (!name) {
        list.open();
        return;
      }
      page = new RunPage(name);
      place.append(page.element);
    },
    hide: leave,
  };
}
