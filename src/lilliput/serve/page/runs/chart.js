/** A chart of lines: axes, ticks, levels, and a legend that reads out the values at the pointer. */

import { element, freshId, svg } from "/page/dom.js";
import { drawLabels, labelsOf, listLabels, marginFor, sample } from "/page/runs/labels.js";
import { Scale, tickText } from "/page/runs/scale.js";

const MARGIN = { top: 22, right: 14, bottom: 46, left: 58 };
const START = 0.1; // The share of a training that is its steep start.
const POINT = 5; // Pixels: the radius of a line's last point.

/** The value of a line at x: that of its nearest point. */
function valueAt(points, x) {
  if (!points.length || x < points[0][0] || x > points.at(-1)[0] * 1.0001) return null;
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle;
    else high = middle;
  }
  return points[x - points[low][0] < points[high][0] - x ? low : high][1];
}

/** The range of y. The `start` of a training, a share of it, is left out if it would press the rest to the floor. */
function rangeOf({ series, levels }, start, fromZero) {
  const values = (from) =>
    series
      .flatMap(({ points, thin }) => (thin ? points.slice(Math.floor(points.length * from)) : points))
      .map((point) => point[1])
      .concat(levels.map((level) => level.value))
      .filter(Number.isFinite);
  const [all, late] = [values(0), values(start)];
  if (!all.length) return [0, 1];
  const low = Math.min(...all);
  const [highest, high] = [Math.max(...all), Math.max(...late)];
  const top = late.length && highest - low > 1.3 * (high - low) ? high : highest;
  const space = (top - low || Math.abs(top) || 1) * 0.06;
  return [fromZero ? 0 : low - space, top + space];
}

export class Chart {
  /**
   * @param {object} settings `label` for screen readers, `xTitle`, `yTitle`, `height`, `digits`, `fromZero`, and
   * `above`: a chart of the same steps, above this one, which then has no labels
   */
  constructor(settings) {
    this.settings = { height: 320, digits: 3, fromZero: false, ...settings };
    this.data = { series: [], levels: [], marks: [] };
    this.log = false;
    this.at = null;
    this.beside = false; // Whether the labels are in the margin.
    this.number = this.number.bind(this);
    this.legend = element("div", { class: "chart-legend numbers" });
    this.list = element("ul", { class: "chart-labels numbers" });
    this.picture = svg("svg", {
      role: "img",
      tabindex: 0,
      "aria-label": `${settings.label}. The arrow keys read out values.`,
      height: this.settings.height,
    });
    this.spoken = element("div", { class: "unseen", role: "status" });
    this.element = element("div", { class: "chart" }, this.legend, this.picture, this.list, this.spoken);
    this.picture.addEventListener("pointermove", (event) => this.point(event));
    this.picture.addEventListener("pointerdown", (event) => this.point(event));
    this.picture.addEventListener("pointerleave", () => this.read(null));
    this.picture.addEventListener("keydown", (event) => this.key(event));
    this.picture.addEventListener("blur", () => this.read(null));
    new ResizeObserver(() => this.draw()).observe(this.picture);
  }

  /**
   * @param {object} data `series`: name, colour, points [[x, y]], and `thin`, `dashed`, `dots`; `levels`: name, value;
   * `marks`: values of x with a note
   */
  update(data) {
    this.data = { levels: [], marks: [], ...data };
    this.draw();
  }

  setLog(log) {
    this.log = log;
    this.draw();
  }

  draw() {
    const width = this.picture.clientWidth;
    if (width < 50) return; // Not visible yet.
    const { height } = this.settings;
    const { series, marks } = this.data;
    const labels = this.settings.above ? [] : labelsOf(this.data);
    this.right = this.marginOf(labels, width, height);
    this.setScales(width, height);
    this.cursor = svg("line", { class: "cursor", y1: MARGIN.top, y2: height - MARGIN.bottom, visibility: "hidden" });
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const clip = freshId("clip");
    const [{ from, to }, floor] = [this.x, height - MARGIN.bottom];
    // The points at the edges are whole; above and below is no room.
    const edges = { x: from - POINT, y: MARGIN.top - 2, width: to - from + 2 * POINT, height: floor - MARGIN.top + 2 };
    this.picture.replaceChildren(
      svg("clipPath", { id: clip }, svg("rect", edges)),
      this.drawAxes(width, height),
      this.drawLevels(labels),
      ...(this.beside ? [drawLabels(labels, this.number, this.x, this.y)] : []),
      svg(
        "g",
        { "clip-path": `url(#${clip})` },
        marks.map((mark) => this.drawMark(mark, height)),
        series.map((line) => this.drawLine(line)),
      ),
      ...series.map((line) => this.drawHidden(line)).filter(Boolean),
      this.cursor,
    );
    this.list.replaceChildren(...listLabels(labels, this.number));
    this.list.classList.toggle("unseen", this.beside);
    this.read(this.at);
  }

  /** The margin at the right: for the labels, or that of the chart above, so that the steps stand below each other. */
  marginOf(labels, width, height) {
    const { above } = this.settings;
    if (above) return above.right ?? MARGIN.right;
    const font = `600 14px ${getComputedStyle(this.picture).fontFamily}`;
    const margin = marginFor(labels, this.number, width, height - MARGIN.top - MARGIN.bottom, font);
    this.beside = margin > 0;
    return margin || MARGIN.right;
  }

  setScales(width, height) {
    const { series } = this.data;
    const all = series.flatMap((line) => line.points.map((point) => point[0]));
    const start = this.log ? Math.min(...all.filter((x) => x > 0), Infinity) : 0;
    const end = all.reduce((largest, x) => Math.max(largest, x), 1);
    this.x = new Scale([Number.isFinite(start) ? start : 1, end], [MARGIN.left, width - this.right], this.log);
    // A logarithmic scale gives the start as much room as the rest.
    const range = rangeOf(this.data, this.log ? 0 : START, this.settings.fromZero);
    this.y = new Scale(range, [height - MARGIN.bottom, MARGIN.top]);
  }

  drawAxes(width, height) {
    const floor = height - MARGIN.bottom;
    const { x, y } = this;
    const narrow = width < 500;
    return svg(
      "g",
      { class: "axes" },
      y.ticks(narrow || height < 200 ? 3 : 6).map((value) => [
        svg("line", {
          class: "grid",
          x1: MARGIN.left,
          x2: x.to,
          y1: y.place(value),
          y2: y.place(value),
        }),
        svg("text", { x: MARGIN.left - 8, y: y.place(value) + 5, "text-anchor": "end" }, tickText(value)),
      ]),
      x
        .ticks(narrow ? 4 : 8)
        .map((value) => [
          svg("line", { x1: x.place(value), x2: x.place(value), y1: floor, y2: floor + 6 }),
          svg("text", { x: x.place(value), y: floor + 22, "text-anchor": "middle" }, tickText(value)),
        ]),
      svg("line", { x1: MARGIN.left, x2: x.to, y1: floor, y2: floor }),
      svg("text", { class: "title", x: x.to, y: height - 6, "text-anchor": "end" }, this.settings.xTitle),
      svg(
        "text",
        { class: "title", x: -MARGIN.top, y: 14, transform: "rotate(-90)", "text-anchor": "end" },
        this.settings.yTitle,
      ),
    );
  }

  drawLevels(labels) {
    const lines = labels.filter((label) => label.level);
    return svg(
      "g",
      { class: "level" },
      lines.map(({ value, dashed }) =>
        svg("path", { d: `M${this.x.from} ${this.y.place(value)}H${this.x.to}`, "stroke-dasharray": dashed }),
      ),
    );
  }

  drawLine({ points, colour, thin, dashed, dots }) {
    const places = points
      .filter(([x, y]) => Number.isFinite(y) && (!this.log || x > 0))
      .map(([x, y]) => [this.x.place(x), this.y.place(y)]);
    const path = places.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    return svg(
      "g",
      { style: { color: colour } },
      svg("path", {
        class: "line",
        d: path,
        "stroke-width": thin ? 1.5 : 2.5,
        "stroke-dasharray": dashed ?? null,
        opacity: thin ? 0.75 : 1,
      }),
      dots && places.length < 60 ? places.slice(0, -1).map(([cx, cy]) => svg("circle", { cx, cy, r: 3.5 })) : null,
      dots ? places.slice(-1).map(([cx, cy]) => svg("circle", { cx, cy, r: POINT })) : null,
    );
  }

  /** Says how high a line is where it leaves the plot. */
  drawHidden({ points }) {
    const above = points.filter(([x, y]) => Number.isFinite(y) && y > this.y.high && (!this.log || x > 0));
    if (!above.length) return null;
    const [x, y] = above.reduce((most, point) => (point[1] > most[1] ? point : most));
    return svg("text", { x: this.x.place(x), y: MARGIN.top - 7 }, `↑ up to ${this.number(y)}`);
  }

  drawMark({ x, text }, height) {
    const place = this.x.place(x);
    return svg(
      "path",
      { class: "mark", d: `M${place} ${height - MARGIN.bottom - 9}l5 9h-10z` },
      svg("title", {}, text),
    );
  }

  point(event) {
    if (!this.x) return;
    const box = this.picture.getBoundingClientRect();
    this.read(Math.max(this.x.low, Math.min(this.x.high, this.x.value(event.clientX - box.left))));
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const points = this.data.series.reduce((most, line) => (line.points.length > most.length ? line.points : most), []);
    if (!step || !points.length) return;
    event.preventDefault();
    const stride = Math.max(1, Math.round(points.length / 50));
    const now = this.at === null ? points.length - 1 : points.findIndex(([x]) => x >= this.at);
    this.read(points[Math.max(0, Math.min(points.length - 1, (now < 0 ? points.length - 1 : now) + step * stride))][0]);
    this.spoken.textContent = this.legend.innerText.replaceAll("\n", ", ");
  }

  /** Shows the values at x in the legend; without x it only has the names. */
  read(x) {
    this.at = x;
    const { series } = this.data;
    const items = series.map((line) => {
      const value = x === null ? null : valueAt(line.points, x);
      return element(
        "span",
        { class: "item" },
        sample(line),
        ` ${line.name} `,
        value === null ? null : element("b", {}, this.number(value)),
      );
    });
    const place = element(
      "span",
      { class: "quiet place" },
      x === null ? "" : `${this.settings.xTitle} ${tickText(x >= 10 ? Math.round(x) : x)}`,
    );
    this.legend.replaceChildren(...items, place);
    if (!this.cursor) return;
    this.cursor.setAttribute("visibility", x === null ? "hidden" : "visible");
    if (x !== null) for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x.place(x));
  }

  number(value) {
    return Math.abs(value) < 0.01 && value !== 0 ? value.toExponential(2) : value.toFixed(this.settings.digits);
  }
}
