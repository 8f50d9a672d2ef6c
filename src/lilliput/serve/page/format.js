/** Numbers, times and tokens in words. */

export function count(value) {
  return Math.round(value).toLocaleString("en");
}

/** 2300000 -> "2.3 M"; a value that is not known yet is a dash. */
export function short(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1e9) return `${(value / 1e9).toPrecision(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(value >= 1e7 ? 0 : 1)} M`;
  if (value >= 1e4) return `${Math.round(value / 1e3)} k`;
  return count(value);
}

export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function percent(share) {
  if (share > 0 && share < 0.0001) return "< 0.01%";
  const value = share * 100;
  return `${value >= 99.95 || value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2)}%`;
}

export function duration(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)}\u00a0s`;
  if (seconds < 90) return `${Math.round(seconds)}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes}\u00a0min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

export function bits(value) {
  return value === null || value === undefined ? "–" : value.toFixed(value < 10 ? 3 : 1);
}

/** A token's text with its spaces and line ends made visible. */
export function visible(text) {
  if (text === "") return "(part)";
  return text.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll(" ", "␣");
}

/** Surprise in bits: how unexpected a token of this probability is. */
export function surprise(probability) {
  return probability === null || probability === undefined ? null : -Math.log2(Math.max(probability, 1e-12));
}

/** Length in Unicode code points, as the server counts. */
export function points(text) {
  return Array.from(text).length;
}
