/** A chart of lines: axes, ticks, levels with names, and a legend that reads out the values at the pointer. */

import { element, svg } from "/page/dom.js";
import { Scale, tickText } from "/page/runs/scale.js";

const MARGIN = { top: 14, right: 14, bottom: 46, left: 58 };
const LABEL = 17; // Pixels that the name of a level needs.

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

/** The range of y: without the steep start, which would press the rest to the floor. */
function rangeOf(series, levels, fromZero) {
  const values = series
    .flatMap(({ points }) => {
      const late = points.slice(Math.floor(points.length * 0.04));
      return late.map((point) => point[1]);
    })
    .concat(levels.map((level) => level.value))
    .filter(Number.isFinite);
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const space = (high - low || Math.abs(high) || 1) * 0.06;
  return [fromZero ? 0 : low - space, high + space];
}

export class Chart {
  /** @param {object} settings `label` for screen readers, `xTitle`, `yTitle`, `height`, `digits`, `fromZero`. */
  constructor(settings) {
    this.settings = { height: 320, digits: 3, fromZero: false, ...settings };
    this.data = { series: [], levels: [], marks: [] };
    this.log = false;
    this.at = null;
    this.legend = element("div", { class: "chart-legend numbers" });
    this.picture = svg("svg", {
      role: "img",
      tabindex: 0,
      "aria-label": `${settings.label}. The arrow keys read out values.`,
      height: this.settings.height,
    });
    this.spoken = element("div", { class: "unseen", role: "status" });
    this.element = element("div", { class: "chart" }, this.legend, this.picture, this.spoken);
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
    const { series, levels, marks } = this.data;
    const all = series.flatMap((line) => line.points.map((point) => point[0]));
    const start = this.log ? Math.min(...all.filter((x) => x > 0), Infinity) : 0;
    const end = all.reduce((largest, x) => Math.max(largest, x), 1);
    this.x = new Scale([Number.isFinite(start) ? start : 1, end], [MARGIN.left, width - MARGIN.right], this.log);
    this.y = new Scale(rangeOf(series, levels, this.settings.fromZero), [height - MARGIN.bottom, MARGIN.top]);
    this.cursor = svg("line", { class: "cursor", y1: MARGIN.top, y2: height - MARGIN.bottom, visibility: "hidden" });
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const clip = `clip-${Math.random().toString(36).slice(2)}`;
    this.picture.replaceChildren(
      svg(
        "clipPath",
        { id: clip },
        svg("rect", {
          x: MARGIN.left,
          y: MARGIN.top - 2,
          width: Math.max(0, width - MARGIN.left - MARGIN.right + 2),
          height: height - MARGIN.top - MARGIN.bottom + 2,
        }),
      ),
      this.drawAxes(width, height),
      svg(
        "g",
        { "clip-path": `url(#${clip})` },
        marks.map((mark) => this.drawMark(mark, height)),
        series.map((line) => this.drawLine(line)),
      ),
      this.drawLevels(levels, width),
      this.cursor,
    );
    this.read(this.at);
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
          x2: width - MARGIN.right,
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
      svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: floor, y2: floor }),
      svg(
        "text",
        { class: "title", x: width - MARGIN.right, y: height - 6, "text-anchor": "end" },
        this.settings.xTitle,
      ),
      svg(
        "text",
        { class: "title", x: -MARGIN.top, y: 14, transform: "rotate(-90)", "text-anchor": "end" },
        this.settings.yTitle,
      ),
    );
  }

  /** Dashed lines with their names, which keep their distance from each other. */
  drawLevels(levels, width) {
    let lowest = -Infinity;
    const sorted = [...levels].sort((left, right) => right.value - left.value);
    const places = sorted.map((level) => this.y.place(level.value));
    const lines = places.map((place) =>
      svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: place, y2: place }),
    );
    const names = sorted.map((level, index) => {
      lowest = Math.max(places[index] - 5, lowest + LABEL);
      const room = { x: width - MARGIN.right - 4, y: lowest, "text-anchor": "end" };
      return svg("text", room, `${level.name} ${level.value.toFixed(this.settings.digits)}`);
    });
    // The names come after all lines, so that none is struck through.
    return svg("g", { class: "level" }, lines, names);
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
      dots && places.length < 60 ? places.map(([cx, cy]) => svg("circle", { cx, cy, r: 3.5 })) : null,
    );
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
      const sample = svg(
        "svg",
        { width: 26, height: 12, "aria-hidden": "true", style: { color: line.colour } },
        svg("path", {
          class: "line",
          d: "M0 6H26",
          "stroke-width": line.thin ? 1.5 : 2.5,
          "stroke-dasharray": line.dashed ?? null,
        }),
        line.dots ? svg("circle", { cx: 13, cy: 6, r: 3.5 }) : null,
      );
      return element(
        "span",
        { class: "item" },
        sample,
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
