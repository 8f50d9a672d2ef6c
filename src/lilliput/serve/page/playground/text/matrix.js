/** A matrix of numbers as a picture, with a cursor that pointer and arrow keys move. */

import { element } from "/page/dom.js";
import { visible } from "/page/format.js";

const LARGEST = 1024; // Pixels of one side.
const MOST_NAMED = 60; // More tokens leave no room for their names.

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  };
  return {
    ground: read("--sheet"),
    positive: read("--orange"),
    negative: read("--blue"),
    outside: read("--paper"),
    ink: read("--ink"),
  };
}

const mix = (from, to, share) => from.map((value, index) => value + (to[index] - value) * share);

export class Matrix {
  constructor(onpoint) {
    this.onpoint = onpoint;
    this.canvas = element("canvas", {
      class: "matrix",
      tabindex: 0,
      role: "img",
      "aria-label": "Picture of the numbers; the arrow keys read them out",
    });
    this.cursor = element("div", { class: "matrix-cursor", hidden: true });
    this.element = element("div", { class: "matrix-box" }, this.canvas, this.cursor);
    this.canvas.addEventListener("pointermove", (event) => this.pointer(event));
    this.canvas.addEventListener("pointerdown", (event) => this.pointer(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("themechange", () => this.values && this.draw());
    new ResizeObserver(() => this.values && this.mark(this.row, this.whole ? null : this.column)).observe(this.canvas);
  }

  show(values, kind, tokens) {
    Object.assign(this, { values, kind, tokens, row: values.length - 1, column: 0, whole: true });
    this.canvas.setAttribute(
      "aria-label",
      `${kind === "attention" ? "Attention" : "State"} of ${tokens.length} tokens; the arrow keys read it out`,
    );
    this.draw();
  }

  draw() {
    const rows = this.values.length;
    const columns = this.values[0]?.length ?? 0;
    const palette = colours();
    const image = new ImageData(Math.max(1, columns), Math.max(1, rows));
    this.values.forEach((line, row) => {
      const largest = this.kind === "attention" ? Math.max(...line, 1e-9) : 1;
      line.forEach((value, column) =>
        image.data.set([...this.colour(value / largest, row, column, palette), 255], (row * columns + column) * 4),
      );
    });
    const small = element("canvas", { width: image.width, height: image.height });
    small.getContext("2d").putImageData(image, 0, 0);
    const scale = Math.max(1, Math.floor(LARGEST / Math.max(image.width, image.height)));
    this.canvas.width = image.width * scale;
    this.canvas.height = image.height * scale;
    this.canvas.style.setProperty(
      "aspect-ratio",
      `${image.width} / ${this.kind === "attention" ? image.height : Math.max(image.height, image.width / 2)}`,
    );
    const context = this.canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
    if (this.kind === "attention" && rows <= MOST_NAMED) this.drawNames(context, scale, palette.ink);
  }

  /** The tokens, in the empty half beside the diagonal. */
  drawNames(context, cell, ink) {
    context.font = `${Math.min(26, cell * 0.95)}px Georgia, serif`;
    context.textBaseline = "middle";
    context.fillStyle = `rgb(${ink.join(" ")})`;
    this.tokens.forEach((token, row) => {
      const [name, left] = [visible(token), (row + 1) * cell + 4];
      if (left + context.measureText(name).width < this.canvas.width) context.fillText(name, left, (row + 0.5) * cell);
    });
  }

  colour(value, row, column, palette) {
    if (this.kind === "attention") {
      return column > row ? palette.outside : mix(palette.ground, palette.negative, Math.sqrt(Math.max(0, value)));
    }
    return mix(palette.ground, value < 0 ? palette.negative : palette.positive, Math.min(1, Math.abs(value)));
  }

  /** Puts the cursor on a cell, or on a whole row. */
  mark(row, column) {
    this.row = row;
    this.column = column ?? this.column;
    this.whole = column === null;
    const [high, wide] = [
      this.canvas.clientHeight / this.values.length,
      this.canvas.clientWidth / this.values[0].length,
    ];
    const style =
      column === null ? { left: 0, width: this.canvas.clientWidth } : { left: this.column * wide, width: wide };
    for (const [name, value] of Object.entries({ ...style, top: row * high, height: high })) {
      this.cursor.style.setProperty(name, `${value}px`);
    }
    this.cursor.hidden = false;
  }

  move(row, column) {
    const last = [this.values.length - 1, this.values[0].length - 1];
    this.mark(Math.max(0, Math.min(last[0], row)), Math.max(0, Math.min(last[1], column)));
    this.onpoint(this.row, this.column);
  }

  pointer(event) {
    if (!this.values) return;
    const box = this.canvas.getBoundingClientRect();
    this.move(
      Math.floor(((event.clientY - box.top) / box.height) * this.values.length),
      Math.floor(((event.clientX - box.left) / box.width) * this.values[0].length),
    );
  }

  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step || !this.values) return;
    this.move(this.row + step[0], this.column + step[1]);
    event.preventDefault();
  }
}
