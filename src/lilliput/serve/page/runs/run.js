/** One run: what it has reached, its curves while they grow, its samples, and what the doctor finds. */

import { announce, element, notice } from "/page/dom.js";
import { bits, count, duration, percent, short } from "/page/format.js";
import { createActions, createProgress, createState } from "/page/runs/actions.js";
import { Chart } from "/page/runs/chart.js";
import { lossData, rateData } from "/page/runs/curves.js";
import { request, runPath } from "/page/server.js";

const PAUSE = 2000;
const SIGNS = { good: "✓", note: "·", warning: "!" };

function figure(name, value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}

function section(title, ...children) {
  return element("section", { class: "sheet", "aria-label": title }, element("h2", {}, title), ...children);
}

export class RunPage {
  constructor(name) {
    this.name = name;
    this.samples = element("div", { class: "samples" });
    this.problem = element("div", {});
    this.head = element("div", {});
    this.deeds = element("div", { class: "row" });
    this.loss = new Chart({ label: "Loss", xTitle: "step", yTitle: "bits per character", height: 340 });
    this.rate = new Chart({
      label: "Learning rate",
      xTitle: "step",
      yTitle: "",
      height: 150,
      digits: 4,
      fromZero: true,
      above: this.loss,
    });
    this.findings = element("ul", { class: "findings" });
    this.recipe = element("pre", { class: "recipe code", tabindex: 0 });
    this.build();
    this.refresh();
  }

  build() {
    const log = element("input", {
      type: "checkbox",
      onchange: () => [this.loss, this.rate].forEach((chart) => chart.setLog(log.checked)),
    });
    this.findingsBox = section("What the doctor finds", this.findings);
    this.samplesBox = section("Samples, the latest first", this.samples);
    this.curves = element(
      "section",
      { class: "sheet", "aria-label": "Curves" },
      element(
        "div",
        { class: "row apart" },
        element("h2", {}, "Loss"),
        element("label", { class: "check" }, log, "log scale"),
      ),
      this.loss.element,
      element("h2", {}, "Learning rate"),
      this.rate.element,
    );
    this.body = element(
      "div",
      { class: "run-page", hidden: true },
      this.curves,
      element(
        "div",
        { class: "stack" },
        this.findingsBox,
        this.samplesBox,
        element("details", { class: "sheet" }, element("summary", {}, "Recipe"), this.recipe),
      ),
    );
    this.element = element(
      "div",
      { class: "stack" },
      element("p", {}, element("a", { href: "#runs" }, "All runs")),
      element("div", { class: "row apart" }, element("h1", {}, this.name), this.deeds),
      this.problem,
      this.head,
      this.body,
    );
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }

  async refresh() {
    clearTimeout(this.timer);
    try {
      const run = await request(runPath(this.name));
      if (this.closed) return;
      this.problem.replaceChildren();
      this.draw(run);
      if (run.state === "training") this.timer = setTimeout(() => this.refresh(), PAUSE);
    } catch (error) {
      if (this.closed) return;
      this.problem.replaceChildren(notice(error.message));
      if (this.run?.state === "training") this.timer = setTimeout(() => this.refresh(), PAUSE * 3);
    }
  }

  draw(run) {
    if (this.run && this.run.state !== run.state) announce(`${this.name} is ${run.state}`);
    const changed = this.run?.state !== run.state || this.run?.step === 0;
    this.run = run;
    if (changed) this.drawDeeds(run);
    this.drawHead(run);
    this.body.hidden = false;
    const loss = lossData(run);
    this.loss.settings.yTitle = loss.unit;
    this.loss.update(loss);
    this.rate.update(rateData(run));
    this.curves.hidden = !run.curve.length;
    this.drawFindings(run);
    this.drawSamples(run);
    if (this.recipe.textContent !== run.recipe) this.recipe.textContent = run.recipe;
  }

  drawDeeds(run) {
    const done = (what) => (what === "Delete" ? (location.hash = "#runs") : this.refresh());
    this.deeds.replaceChildren(
      ...createActions(run, done, (error) => this.problem.replaceChildren(notice(error.message))),
    );
  }

  drawHead(run) {
    const last = run.evaluations.at(-1);
    const latest = last?.exact_match ?? null;
    const figures = [
      figure("best bits per character", bits(run.bits_per_character)),
      latest === null ? null : figure("right answers", percent(latest)),
      figure("step", `${count(run.step)}${run.steps ? ` of ${count(run.steps)}` : ""}`),
      figure("time", duration(run.seconds)),
      run.seconds_left === null ? null : figure("time left", duration(run.seconds_left)),
      run.tokens_per_second ? figure("tokens a second", count(run.tokens_per_second)) : null,
      figure("parameters", short(run.parameters)),
    ];
    const waiting = run.state === "training" && !run.curve.length;
    this.head.replaceChildren(
      element(
        "p",
        {},
        createState(run.state),
        ` ${run.description} `,
        element("span", { class: "quiet" }, run.text ? `· text: ${run.text}` : ""),
      ),
      ...(run.message ? [notice(run.message, run.state === "broken" ? "broken" : "hint")] : []),
      createProgress(run),
      element("dl", { class: "figures numbers" }, figures),
      ...(waiting
        ? [element("p", { class: "quiet" }, "The text is being read. The first steps come in a moment.")]
        : []),
    );
  }

  drawFindings(run) {
    this.findingsBox.hidden = !run.findings.length;
    this.findings.replaceChildren(
      ...run.findings.map(({ level, text }) =>
        element(
          "li",
          { class: level },
          element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[level] ?? "·"),
          element("span", {}, element("span", { class: "unseen" }, `${level}: `), text),
        ),
      ),
    );
  }

  /** Draws only when there is a new one, so that a sample can be read and marked. */
  drawSamples(run) {
    this.samplesBox.hidden = !run.samples.length;
    if (this.drawn === run.samples.length) return;
    this.drawn = run.samples.length;
    this.samples.replaceChildren(
      ...[...run.samples]
        .reverse()
        .map(({ step, prompt, text }, index) =>
          element(
            "details",
            { open: index === 0 },
            element("summary", { class: "numbers" }, `step ${count(step)}`),
            element("p", { class: "book sample" }, prompt.trim() ? element("b", {}, prompt) : null, text),
          ),
        ),
    );
  }
}
