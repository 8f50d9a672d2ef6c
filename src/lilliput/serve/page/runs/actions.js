/** What can be done with a run, for its row in the list and for its page. */

import { button, element } from "/page/dom.js";
import { confirm } from "/page/dialogs.js";
import { post, request, runPath } from "/page/server.js";

export const STATES = {
  training: "training",
  finished: "finished",
  stopped: "stopped",
  broken: "broken",
};

export function createState(state) {
  return element("span", { class: `state ${state}` }, STATES[state] ?? state);
}

export function createProgress(run) {
  const share = run.progress ?? (run.state === "finished" ? 1 : 0);
  const value = Math.round(share * 100);
  return element(
    "div",
    {
      class: "progress",
      role: "progressbar",
      "aria-label": `Progress of ${run.name}`,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": value,
    },
    element("div", { style: { width: `${value}%` } }),
  );
}

/** The address of a run's page; of its model in the playground. */
export const runAddress = (name) => `#runs/${encodeURIComponent(name)}`;
export const playAddress = (name) => `#playground/write/${encodeURIComponent(name)}`;

async function play(run) {
  if (!run.open) await post(runPath(run.name, "open"), {});
  location.hash = playAddress(run.name);
}

async function remove(run) {
  const text = `The run “${run.name}” is deleted with its model and its curves. This cannot be undone.`;
  if (!(await confirm(`Delete ${run.name}?`, text, "Delete the run"))) return false;
  await request(runPath(run.name), { method: "DELETE" });
  return true;
}

/** The buttons that fit the state of a run. `done(what)` follows a success, `fail(error)` a failure. */
export function createActions(run, done, fail) {
  const act = (text, action, kind = "") => {
    const busy = (value) => made.setAttribute("aria-disabled", String(value));
    const made = button(
      text,
      async () => {
        if (made.getAttribute("aria-disabled") === "true") return;
        busy(true); // Not disabled: a dialog gives the focus back to this button.
        try {
          if ((await action()) !== false) done(text);
        } catch (error) {
          fail(error);
        }
        busy(false);
      },
      { kind, "aria-label": `${text}: ${run.name}` },
    );
    return made;
  };
  const training = run.state === "training";
  const playable = run.step > 0 && run.state !== "broken";
  return [
    playable ? act("Play", () => play(run), run.state === "finished" ? "primary" : "") : null,
    training ? act("Stop and save", () => post(runPath(run.name, "stop"), {})) : null,
    run.state === "stopped" || run.state === "broken"
      ? act("Continue", () => post(runPath(run.name, "continue"), {}))
      : null,
    training ? null : act("Delete", () => remove(run), "danger"),
  ].filter(Boolean);
}
