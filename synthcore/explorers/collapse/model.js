// Data collapse: growth parts of curves on rescaled time, and the variance between them.

const GROWTH = [0.1, 0.9],
  GRID = 400;
export const NUS = Array.from({ length: 81 }, (_, i) => Math.round(-100 + 5 * i) / 100);

/** The metrics of a model: curves as arrays of numbers. */
export function readMetrics(model) {
  const floats = (name) => {
    const view = model.get(name);
    return Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
  };
  const times = floats("times"),
    values = floats("values");
  let at = 0;
  return model.get("metrics").map((about) => {
    const rows = about.sizes.map(() => {
      const from = at;
      at += about.points;
      return { times: times.slice(from, at), values: values.slice(from, at) };
    });
    return { ...about, rows };
  });
}

/** Whether a curve leaves the floor for good: the mean of its last quarter lies above it by .02, and by four standard errors, of
 *  which the noise is that of second differences. */
export function grows(values, floor) {
  const y = values.map((v) => (Number.isFinite(v) ? v : floor)),
    count = Math.max(Math.floor(y.length / 4), 3),
    end = y.slice(-count),
    bends = y.slice(2).map((v, i) => Math.abs(v - 2 * y[i + 1] + y[i])),
    sorted = bends.sort((a, b) => a - b),
    half = sorted.length >> 1,
    middle = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2,
    noise = y.length > 4 ? middle / (0.6745 * Math.sqrt(6)) : 0,
    rise = end.reduce((a, b) => a + b, 0) / end.length - floor;
  return rise > Math.max(0.02, (4 * noise) / Math.sqrt(count));
}

/** Every curve from 0 (floor, or the first tenth of the shared rise) to 1 (nine tenths of it);
 *  null if some curve does not grow. A curve that has had its maximum stays there. */
export function growthPart({ rows, floor }) {
  if (!rows.every(({ values }) => grows(values, floor))) return null;
  const risen = rows.map(({ values }) => {
    let most = -Infinity;
    return values.map((v) => (most = Math.max(most, Number.isFinite(v) ? v : floor)));
  });
  const shared = Math.min(...risen.map((row) => row.at(-1))) - floor;
  const [low, high] = GROWTH.map((share) => floor + share * shared);
  return risen.map((row) => row.map((v) => (Math.min(Math.max(v, low), high) - low) / (high - low)));
}

/** Linear interpolation; constant beyond the ends. */
export function interpolate(x, xs, ys) {
  if (x <= xs[0]) return ys[0];
  let low = 0,
    high = xs.length - 1;
  if (x >= xs[high]) return ys[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  return ys[low] + ((ys[high] - ys[low]) * (x - xs[low])) / (xs[high] - xs[low]);
}

/** Variance between growth parts, integrated over the logarithm of time / size^nu. */
export function residual(metric, grown, nu) {
  const logs = metric.sizes.map(Math.log),
    centre = logs.reduce((a, b) => a + b, 0) / logs.length;
  const xs = metric.rows.map(({ times }, i) => times.map((t) => Math.log(t) - nu * (logs[i] - centre)));
  const low = Math.min(...xs.map((row) => row[0])),
    high = Math.max(...xs.map((row) => row.at(-1)));
  let total = 0;
  for (let i = 0; i < GRID; i++) {
    const x = low + ((high - low) * i) / (GRID - 1),
      at = xs.map((row, k) => interpolate(x, row, grown[k])),
      mean = at.reduce((a, b) => a + b, 0) / at.length;
    total += at.reduce((a, b) => a + (b - mean) ** 2, 0) / at.length;
  }
  return (total / GRID) * (high - low);
}

/** The residual at every nu of `NUS`, and where it is smallest. */
export function scan(metric) {
  const grown = growthPart(metric);
  if (!grown) return { grown: null, residuals: NUS.map(() => NaN), best: NaN };
  const residuals = NUS.map((nu) => residual(metric, grown, nu));
  return { grown, residuals, best: NUS[residuals.indexOf(Math.min(...residuals))] };
}

/** What the reader sees, in words. */
export function collapseWords(metric, found, nu) {
  if (!found.grown) return `${metric.name}: some curve does not leave its floor by more than its noise, so there is nothing to collapse.`;
  const now = residual(metric, found.grown, nu),
    least = Math.min(...found.residuals);
  const [low, high] = metric.interval;
  const interval = low === undefined ? "" : ` Over seeds: 95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}.`;
  const near = Math.abs(nu - found.best) < 0.051 ? "The curves lie on one another as well as they can." : `They lie closest at ν = ${found.best.toFixed(2)}.`;
  return `${metric.name}, ν = ${nu.toFixed(2)}: residual ${now.toPrecision(2)}, smallest possible ${least.toPrecision(2)}. ${near}${interval}`;
}
