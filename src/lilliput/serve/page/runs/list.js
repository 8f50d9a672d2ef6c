/** All runs, and the curves of those that are chosen. */

import { element, freshId, notice } from "/page/dom.js";
import { bits, count, duration, percent, short } from "/page/format.js";
import { createActions, createProgress, createState, runAddress } from "/page/runs/actions.js";
import { Chart } from "/page/runs/chart.js";
import { comparison, look } from "/page/runs/curves.js";
import { request, runPath } from "/page/server.js";

const PAUSE = 3000;

export class RunList {
  constructor() {
    this.chosen = new Set();
    this.details = new Map();
    this.problem = element("div", {});
    this.body = element("div", { class: "runs" });
    this.chart = new Chart({
      label: "Validation of the chosen runs",
      xTitle: "step",
      yTitle: "bits per character",
      height: 380,
    });
    this.note = element("p", { class: "quiet chart-note" });
    this.compare = element(
      "section",
      { class: "sheet", "aria-label": "Comparison", hidden: true },
      element("div", { class: "row apart" }, element("h2", {}, "Validation"), this.createChoices()),
      this.chart.element,
      this.note,
    );
    this.element = element(
      "div",
      { class: "stack" },
      element(
        "div",
        { class: "row apart" },
        element("h1", {}, "Runs"),
        element("a", { href: "#train" }, "Train a new one"),
      ),
      this.problem,
      this.compare,
      this.body,
    );
  }

  createChoices() {
    const check = (title, onchange) =>
      element(
        "label",
        { class: "check" },
        element("input", { type: "checkbox", onchange: (event) => onchange(event.target.checked) }),
        title,
      );
    return element(
      "div",
      { class: "row" },
      check("over time", (on) => {
        this.overTime = on;
        this.chart.settings.xTitle = on ? "seconds" : "step";
        this.drawChart();
      }),
      check("log scale", (on) => this.chart.setLog(on)),
    );
  }

  open() {
    this.opened = true;
    this.refresh();
  }

  close() {
    this.opened = false;
    clearTimeout(this.timer);
  }

  async refresh() {
    clearTimeout(this.timer);
    try {
      const { runs } = await request("/api/runs");
      if (!this.opened) return;
      this.problem.replaceChildren();
      this.draw(runs);
      await this.fetchDetails();
      if (this.opened && runs.some((run) => run.state === "training"))
        this.timer = setTimeout(() => this.refresh(), PAUSE);
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error) {
    this.problem.replaceChildren(notice(error.message));
  }

  draw(runs) {
    this.runs = runs;
    for (const name of this.chosen) if (!runs.some((run) => run.name === name)) this.chosen.delete(name);
    if (!runs.length) {
      this.body.replaceChildren(
        element(
          "div",
          { class: "sheet" },
          element(
            "p",
            { class: "empty" },
            "No runs yet. ",
            element("a", { href: "#train" }, "Train a model on a text of your own"),
            ": a minute is enough to see it learn.",
          ),
        ),
      );
      return;
    }
    const focused = document.activeElement?.getAttribute("aria-label");
    const inside = this.body.contains(document.activeElement);
    this.body.replaceChildren(...runs.map((run) => this.drawRow(run)));
    if (inside && focused) this.body.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }

  drawRow(run) {
    const id = freshId("run");
    const box = element("input", {
      type: "checkbox",
      checked: this.chosen.has(run.name),
      "aria-label": `Compare ${run.name}`,
      onchange: () => this.choose(run.name, box.checked),
    });
    const place = [...this.chosen].indexOf(run.name);
    const swatch = element("span", {
      class: "swatch",
      style: { background: place < 0 ? "transparent" : look(place).colour },
    });
    const share = !run.progress || run.state === "finished" ? "" : ` · ${percent(run.progress)}`;
    const facts = [run.text, `${short(run.parameters)} parameters`, duration(run.seconds)].filter(Boolean).join(" · ");
    return element(
      "article",
      { class: "run-row", "aria-labelledby": id },
      element("div", { class: "pick" }, box, swatch),
      element(
        "div",
        { class: "who" },
        element("h2", { id }, element("a", { href: runAddress(run.name) }, run.name)),
        element("p", {}, run.description),
        element("p", { class: "quiet" }, facts),
        run.message ? element("p", { class: "bad" }, run.message) : null,
      ),
      element(
        "div",
        { class: "how" },
        element(
          "div",
          {},
          createState(run.state),
          element(
            "span",
            { class: "quiet numbers" },
            ` step ${count(run.step)}${run.steps ? ` of ${count(run.steps)}` : ""}${share}`,
          ),
        ),
        createProgress(run),
      ),
      element(
        "div",
        { class: "score numbers" },
        element("b", {}, bits(run.bits_per_character)),
        element("span", { class: "quiet" }, "bits per character"),
      ),
      element(
        "div",
        { class: "row deeds" },
        createActions(
          run,
          () => this.refresh(),
          (error) => this.fail(error),
        ),
      ),
    );
  }

  choose(name, chosen) {
    if (chosen) this.chosen.add(name);
    else this.chosen.delete(name);
    this.draw(this.runs);
    this.fetchDetails();
  }

  /** Reads the curves of the chosen runs; those of a finished run only once. */
  async fetchDetails() {
    this.compare.hidden = this.chosen.size === 0;
    const state = (name) => this.runs.find((run) => run.name === name)?.state;
    try {
      await Promise.all(
        [...this.chosen].map(async (name) => {
          const known = this.details.get(name);
          if (known && known.state === state(name) && known.state !== "training") return;
          this.details.set(name, await request(runPath(name)));
        }),
      );
      this.drawChart();
    } catch (error) {
      this.fail(error);
    }
  }

  drawChart() {
    const runs = [...this.chosen].map((name) => this.details.get(name)).filter(Boolean);
    if (!runs.length) return;
    const { note, ...data } = comparison(runs, this.overTime);
    this.note.textContent = note;
    this.note.hidden = !note;
    this.chart.update(data);
  }
}
