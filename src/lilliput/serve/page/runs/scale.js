/** From values to pixels, linear or logarithmic, with ticks at round numbers. */

const LOG_STEPS = [1, 2, 5];

function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 2.5, 5].find((step) => step * power >= rough) ?? 10);
}

export class Scale {
  constructor([low, high], [from, to], log = false) {
    this.log = log;
    this.low = log ? Math.max(low, 1e-9) : low;
    this.high = high > this.low ? high : this.low + 1;
    Object.assign(this, { from, to });
  }

  share(value) {
    if (!this.log) return (value - this.low) / (this.high - this.low);
    return Math.log(Math.max(value, this.low) / this.low) / Math.log(this.high / this.low);
  }

  place(value) {
    return this.from + this.share(value) * (this.to - this.from);
  }

  /** The value at a pixel. */
  value(pixel) {
    const share = (pixel - this.from) / (this.to - this.from);
    return this.log ? this.low * (this.high / this.low) ** share : this.low + share * (this.high - this.low);
  }

  ticks(count) {
    const result = [];
    if (this.log) {
      const decades = Math.log10(this.high / this.low);
      const steps = decades > count / 2 ? [1] : LOG_STEPS;
      for (let power = 10 ** Math.floor(Math.log10(this.low)); power <= this.high; power *= 10) {
        for (const step of steps) {
          const value = step * power;
          if (value >= this.low * 0.999 && value <= this.high * 1.001) result.push(value);
        }
      }
      return result;
    }
    const step = roundStep((this.high - this.low) / count);
    for (let index = Math.ceil(this.low / step - 1e-9); index * step <= this.high + step * 1e-6; index += 1)
      result.push(index * step);
    return result;
  }
}

/** A tick's number, short. */
export function tickText(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
  if (size < 0.0001) return value.toExponential(0).replace("e-", "e−");
  return String(Number(value.toPrecision(4)));
}
