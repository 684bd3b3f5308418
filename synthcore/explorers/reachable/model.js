// How many compositions n training compositions identify, exactly. Pure functions, no drawing.
// Letters: N functions of a position without the identity, q = N + 1, L positions, n trained.

/** ln Gamma(x) for x > 0 (Lanczos, g = 7, nine terms): relative error below 1e-14. */
export function logGamma(x) {
  const c = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const t = x + 6.5,
    sum = c.slice(1).reduce((total, a, i) => total + a / (x + i), c[0]);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** binom(part, n) / binom(whole, n): no draw of n out of `whole` hits outside `part`. */
export function missing(part, whole, n) {
  if (n > part) return 0;
  if (n <= 2000) {
    let product = 1;
    for (let i = 0; i < n && product > 1e-300; i++) product *= (part - i) / (whole - i);
    return product;
  }
  const log = (v) => logGamma(v + 1) - logGamma(v - n + 1);
  return Math.exp(log(part) - log(whole));
}

/** Expected share of the q^L compositions whose every function occurs among n random ones. */
export function ceiling(N, L, n) {
  const q = N + 1,
    whole = q ** L;
  let sum = 0,
    ways = 1;
  for (let j = 0; j <= L; j++) {
    sum += (j % 2 ? -1 : 1) * ways * missing(q ** (L - j) * (q - 1) ** j, whole, n);
    ways = (ways * (L - j)) / (j + 1);
  }
  return Math.min(Math.max(sum, 0), 1);
}

/** The same share among the compositions that were not trained; NaN if all were. */
export function unseenCeiling(N, L, n) {
  const whole = (N + 1) ** L;
  return n >= whole ? NaN : (ceiling(N, L, n) * whole - n) / (whole - n);
}

/** Sizes of the sets: in order, distinct ones with shared functions, out of order. */
export function setSizes(N, L) {
  let distinct = 0;
  for (let k = 0; k <= L; k++) distinct += N ** k;
  return { inOrder: (N + 1) ** L, distinct, outOfOrder: (L * N + 1) ** L };
}

/** The smallest n with a ceiling of `share`. */
export function enough(N, L, share) {
  let low = 1,
    high = (N + 1) ** L;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (ceiling(N, L, middle) >= share) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whole numbers from 1 to `whole`, about `per` to a factor of two, for a slider. */
export function logSizes(whole, per = 8) {
  const out = new Set([1]);
  for (let i = 0; 2 ** (i / per) < whole; i++) out.add(Math.round(2 ** (i / per)));
  return [...out.add(whole)].sort((a, b) => a - b);
}

/** Rows [n, value, low, high] of every series of a trait. */
export function seriesRows(model, name) {
  const view = model.get(name),
    values = new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  let at = 0;
  return model.get(`${name}_sizes`).map((rows) =>
    Array.from({ length: rows }, () => {
      at += 4;
      return Array.from(values.subarray(at - 4, at));
    }),
  );
}

/** The measured row nearest to n on the log axis, within a factor; null if there is none. */
export function nearestRow(rows, n, factor = 1.15) {
  const away = (row) => Math.abs(Math.log(row[0] / n));
  const best = rows.reduce((a, row) => (a === null || away(row) < away(a) ? row : a), null);
  return best && away(best) <= Math.log(factor) ? best : null;
}

/** 0.976 as "98 %", nearly 1 as "99.9 %". */
export const percentText = (v) => (v > 0.995 && v < 1 ? `${Math.min(100 * v, 99.9).toFixed(1)} %` : `${Math.round(100 * v)} %`);

/** What n compositions allow, and what was measured there, in words. */
export function reachableVerdict(N, L, n, series, accuracy, reached) {
  const sizes = setSizes(N, L),
    share = ceiling(N, L, n),
    round = (v) => number(Math.round(v));
  const plural = n === 1 ? "composition identifies" : "compositions identify";
  const can =
    `${number(n)} random ${plural} ${percentText(share)} of the ${number(sizes.inOrder)} in-order ones, ` +
    `${round(share * sizes.inOrder)} in number: ${+((share * sizes.inOrder) / n).toPrecision(3)} for each trained. ` +
    `A memoriser keeps its ${number(n)}.`;
  const told = series.flatMap((name, i) => {
    const a = nearestRow(accuracy[i], n),
      r = nearestRow(reached[i], n);
    if (!a && !r) return [];
    const parts = [...(a ? [`${percentText(a[1])} on unseen ones`] : []), ...(r ? [`${round(r[1])} reached`] : [])];
    return [`${name} (n = ${number((a ?? r)[0])}): ${parts.join(", ")}`];
  });
  return told.length ? `${can} Measured: ${told.join("; ")}.` : `${can} Nothing was measured at this n.`;
}
