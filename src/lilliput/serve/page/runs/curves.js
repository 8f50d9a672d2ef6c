/** The curves of runs in the form that a chart wants. */

export const COLOURS = ["var(--blue)", "var(--orange)", "var(--green)", "var(--pink)", "var(--sky)", "var(--amber)"];
const DASHES = [null, "9 4", "3 3"]; // More runs than colours: the dashes tell them apart.

export const look = (index) => ({
  colour: COLOURS[index % COLOURS.length],
  dashed: DASHES[Math.floor(index / COLOURS.length) % DASHES.length],
});

/** What a loss in nats per token is in bits per character, for a run that knows its characters per token. */
function factor(run) {
  return run.characters_per_token ? 1 / (Math.LN2 * run.characters_per_token) : null;
}

/** A loss in this measure; it stays null where it is not finite. */
const scaled = (loss, scale) => (loss === null || scale === null ? loss : loss * scale);

/** The seconds at which a run took a step. */
function clock(run) {
  const curve = run.curve;
  return (step) => {
    if (!curve.length) return 0;
    const after = curve.findIndex((row) => row[0] >= step);
    if (after < 0) return curve.at(-1)[3];
    if (after === 0 || curve[after][0] === step) return curve[after][3];
    const [left, right] = [curve[after - 1], curve[after]];
    return left[3] + ((step - left[0]) / (right[0] - left[0])) * (right[3] - left[3]);
  };
}

/** Loss of one run; in bits per character where that is known. */
export function lossData(run) {
  const scale = factor(run);
  const validation = run.evaluations.map((row) => [row.step, row.bits_per_character ?? scaled(row.loss, scale)]);
  const training = run.curve.map((row) => [row[0], scaled(row[1], scale)]);
  return {
    unit: scale === null ? "loss, nats per token" : "bits per character",
    series: [
      { name: "training", colour: "var(--blue)", points: training, thin: true },
      { name: "validation", colour: "var(--orange)", points: validation, dots: true },
    ],
    levels: scale === null ? [] : run.baselines.map((row) => ({ name: row.name, value: row.bits_per_character })),
    marks: (run.spikes ?? []).map((step) => ({ x: step, text: `Loss spike at step ${step}` })),
  };
}

export function rateData(run) {
  return {
    series: [{ name: "learning rate", colour: "var(--green)", points: run.curve.map((row) => [row[0], row[2]]) }],
  };
}

/** The baselines of runs that are measured on the same text, without those that depend on how a run reads it. */
function commonLevels(runs) {
  const rows = runs.flatMap((run) => run.baselines).map((row) => ({ name: row.name, value: row.bits_per_character }));
  const same = (one, two) => one.name !== two.name || Math.abs(one.value - two.value) < 0.01;
  const agreed = rows.filter((row) => rows.every((other) => same(row, other)));
  return [...new Map(agreed.map((row) => [row.name, row])).values()];
}

/** Validation of several runs, over steps or over seconds. With several texts, there are no baselines, but a note. */
export function comparison(runs, overTime) {
  const series = runs.map((run, index) => {
    const seconds = clock(run);
    const points = run.evaluations
      .filter((row) => row.bits_per_character !== null)
      .map((row) => [overTime ? seconds(row.step) : row.step, row.bits_per_character]);
    return { name: run.name, ...look(index), points, dots: true };
  });
  const texts = new Set(runs.map((run) => run.held_out).filter(Boolean));
  if (texts.size < 2) return { series, levels: commonLevels(runs), note: "" };
  return {
    series,
    levels: [],
    note: "These runs are measured on different texts, so their losses cannot be compared directly.",
  };
}
