// What happened on the way: descents and rises of the OOD loss, whose doing they are, and words for it.

/** Turning points of a curve, ignoring counter-movements of less than `tolerance`: the number of
 *  descents, and the rises as [first, last] indices. */
export function turns(values, tolerance) {
  const rises = [];
  let descents = 0,
    direction = 0, // -1 falling, 1 rising
    low = 0,
    high = 0; // indices of the lowest and highest value since the last turn
  values.forEach((v, i) => {
    if (v > values[high]) high = i;
    if (v < values[low]) low = i;
    if (direction >= 0 && v < values[high] - tolerance) {
      if (direction > 0) rises[rises.length - 1][1] = high;
      direction = -1;
      descents += 1;
      low = i;
    } else if (direction <= 0 && v > values[low] + tolerance) {
      direction = 1;
      rises.push([low, values.length - 1]);
      high = i;
    }
  });
  if (direction > 0) rises[rises.length - 1][1] = high;
  return { descents, rises };
}

/** Pairs i < j of concepts. */
export function pairs(s) {
  const out = [];
  for (let i = 0; i < s; i++) for (let j = i + 1; j < s; j++) out.push([i, j]);
  return out;
}

/** What each entry of W did to the OOD loss between two times. The loss is quadratic in f, so with
 *  the mean of the residuals before and after a step the parts add up exactly:
 *  { minor: one number for each pair, major: one for each concept }. */
export function shares(sim, from, to) {
  const { s, mu, f, run } = sim,
    minor = pairs(s).map(() => 0),
    major = mu.map(() => 0);
  for (let t = from + 1; t <= to; t++) {
    const residual = mu.map((m, k) => (f[t][k] + f[t - 1][k]) / 2 - m);
    const step = (i, j) => run[(t * s + i) * s + j] - run[((t - 1) * s + i) * s + j];
    mu.forEach((m, p) => (major[p] += residual[p] * m * step(p, p)));
    pairs(s).forEach(([i, j], n) => (minor[n] += (residual[i] * mu[j] + residual[j] * mu[i]) * step(i, j)));
  }
  return { minor, major };
}

/** When a positive minor entry is withdrawn, as indices [its peak, fallen to a tenth of it], or null:
 *  the withdrawal that is under way while the loss rises, or the one after the highest peak. */
export function withdrawal(sim, [i, j], event) {
  const w = sim.entry(i, j),
    [from, to] = event ? [event.from, event.to] : [0, w.length - 1];
  let peak = from;
  for (let t = from; t <= to; t++) if (w[t] > w[peak]) peak = t;
  while (peak > 0 && w[peak - 1] >= w[peak]) peak -= 1;
  if (w[peak] < 1e-3 || peak === w.length - 1) return null;
  const end = w.findIndex((v, t) => t > peak && v <= w[peak] / 10);
  return [peak, end < 0 ? w.length - 1 : end];
}

/** Everything that is said of a run: descents, rises with the minor entry to blame, draw-up. */
export function story(sim) {
  const { descents, rises } = turns(sim.ood, 0.002 * sim.ood[0]);
  const all = pairs(sim.s),
    events = rises.map(([from, to]) => {
      const parts = shares(sim, from, to),
        n = parts.minor.indexOf(Math.max(...parts.minor));
      return { from, to, rise: sim.ood[to] - sim.ood[from], pair: all[n], part: parts.minor[n] };
    });
  const highest = (pair) => Math.max(...sim.entry(...pair));
  const largest = all.reduce((best, pair) => (highest(pair) > highest(best) ? pair : best));
  const bands = (events.length ? events : [{ pair: largest }])
    .map((event) => ({ pair: event.pair, span: sim.minor && withdrawal(sim, event.pair, event.to && event) }))
    .filter((band) => band.span);
  const worst = events.reduce((best, event) => (best && best.rise >= event.rise ? best : event), null);
  const monotone = sim.train.every((v, t) => !t || v <= sim.train[t - 1] + 1e-9 * sim.train[0]);
  return { descents, events, worst, bands, largest, peak: highest(largest), du: largestRise(sim.ood).size, monotone };
}

/** One sentence on the loss, one on its cause. */
export function swingVerdict(sim, told) {
  const first = sim.ood[0],
    { worst, descents, monotone } = told;
  const train = monotone ? "the training loss never rises" : "the training loss rises too";
  if (!worst) {
    const calm = `The OOD loss only falls (1 descent, draw-up ${percent(told.du)}).`;
    if (!sim.minor)
      return `${calm} With the minor entries held at 0 nothing is lent and nothing withdrawn: each concept is learned on its own.`;
    if (sim.rho <= 0)
      return `${calm} ρ ≤ 0: no minor entry starts positive, so a strong concept lends nothing to a weak one, and nothing is withdrawn.`;
    return (
      `${calm} The minor entry ${entryName(told.largest)} peaks at ${digits(told.peak)} and is withdrawn, ` +
      "but never faster than the rest learns."
    );
  }
  const { from, to, rise, pair, part } = worst,
    name = entryName(pair);
  const w = sim.entry(...pair),
    rest = part - rise;
  const balance =
    Math.abs(rest) < 0.0005 * first
      ? "the other entries cancel out"
      : rest > 0
        ? `the other entries take back ${percent(rest / first)}`
        : `the other entries add ${percent(-rest / first)}`;
  const count = told.events.length === 1 ? "rises once" : `rises ${told.events.length} times`;
  return (
    `The OOD loss ${count} (${descents} descents) while ${train}: ` +
    `${told.events.length > 1 ? "its largest rise is" : "up"} ${percent(rise / first)} of its start ` +
    `between τ = ${digits(sim.taus[from])} and ${digits(sim.taus[to])}. ` +
    `That bump is ${name} being withdrawn, from ${digits(w[from])} to ${digits(w[to])}: ` +
    `alone it would add ${percent(part / first)}; ${balance}.`
  );
}
