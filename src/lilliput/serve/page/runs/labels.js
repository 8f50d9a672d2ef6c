/** What the lines of a chart reach: in the margin beside it or, where that is too narrow, as a list below. */

import { element, svg } from "/page/dom.js";

const GAP = 17; // Pixels from one label to the next.
const LEADER = 18; // Pixels from the end of a line to its label.
const MOST = 0.36; // Of the chart's width: a broader margin would press the curves together.
const LONGEST = 24;
const DASHES = ["7 4", "2 3", "10 3 2 3"]; // They tell levels apart.

/** A label for the last value of each line, and for each level, from the top down. */
export function labelsOf({ series, levels }) {
  const ends = series.map((line) => {
    const [at, value] = line.points.findLast((point) => Number.isFinite(point[1])) ?? [];
    return { ...line, at, value };
  });
  const rules = levels.map((level, index) => ({ ...level, dashed: DASHES[index % DASHES.length], level: true }));
  return [...ends, ...rules].filter((label) => label.value !== undefined).sort((one, two) => two.value - one.value);
}

/** A name for the margin, where room is dear: the legend has the whole. */
function shortened({ name, level }) {
  if (level) return name.replace(/ \(order \d+\)/, "");
  return name.length > LONGEST ? `${name.slice(0, LONGEST / 2)}…${name.slice(1 - LONGEST / 2)}` : name;
}

/** The width of a margin that holds the labels; 0 if they belong below the chart. */
export function marginFor(labels, number, width, height, font) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = font;
  const widths = labels.map((label) => pen.measureText(`${number(label.value)} ${shortened(label)}`).width);
  const margin = Math.ceil(LEADER + 8 + Math.max(0, ...widths));
  return margin <= MOST * width && labels.length * GAP <= height ? margin : 0;
}

/** Places from the top down, moved as little as keeps them apart and above the floor. */
function apart(places, floor) {
  const result = [];
  for (const place of places) result.push(Math.max(place, (result.at(-1) ?? -Infinity) + GAP));
  let lowest = floor;
  for (let index = result.length - 1; index >= 0; index -= 1) {
    result[index] = Math.min(result[index], lowest);
    lowest = result[index] - GAP;
  }
  return result;
}

/** The labels beside the plot, each with a thin line from what it names. */
export function drawLabels(labels, number, x, y) {
  const places = labels.map((label) => y.place(label.value));
  const moved = apart(places, y.from);
  return svg(
    "g",
    { class: "labels" },
    labels.map((label, index) => [
      svg(
        "g",
        { style: { color: label.colour ?? "var(--edge)" } },
        // A line that ends early is drawn on, to show how its last value compares.
        label.level ? null : svg("path", { class: "on", d: `M${x.place(label.at)} ${places[index]}H${x.to}` }),
        svg("path", { d: `M${x.to} ${places[index]}h4L${x.to + LEADER - 4} ${moved[index]}` }),
      ),
      svg(
        "text",
        { x: x.to + LEADER, y: moved[index] + 5 },
        svg("tspan", { class: label.level ? "" : "reached" }, number(label.value)),
        ` ${shortened(label)}`,
      ),
    ]),
  );
}

/** What a line looks like. */
export function sample({ colour, thin, dashed, dots, level }) {
  return svg(
    "svg",
    { width: 26, height: 12, "aria-hidden": "true", style: { color: colour ?? "var(--edge)" } },
    svg("path", {
      class: "line",
      d: "M0 6H26",
      "stroke-width": level ? 1 : thin ? 1.5 : 2.5,
      "stroke-dasharray": dashed ?? null,
    }),
    dots ? svg("circle", { cx: 13, cy: 6, r: 3.5 }) : null,
  );
}

/** The labels as a list. */
export function listLabels(labels, number) {
  return labels.map((label) =>
    element(
      "li",
      { class: "item" },
      sample(label),
      element("span", {}, element(label.level ? "span" : "b", {}, number(label.value)), ` ${label.name}`),
    ),
  );
}
