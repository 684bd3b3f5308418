// Paths in concept space as recorded, and the toy dynamics, integrated here.

/** Recorded paths: at(c, k, g) is [blue, small]. */
export function readPaths(model) {
  const values = floats(model.get("paths")),
    K = model.get("steps").length,
    [G] = model.get("shape");
  return {
    G,
    K,
    at: (c, k, g) => {
      const i = 2 * ((c * K + k) * G + g);
      return [values[i], values[i + 1]];
    },
  };
}

/** How far the concepts are told apart at time t. */
export const gateAt = (t, t0, k) => 1 / (1 + Math.exp(-k * (t - t0)));

/** The toy path [[colour, size], ...] at rising times, from (.5, .5): colour is drawn to 1 at rate
 *  v a / 2 and to the gate at rate v / (2 a), size the other way round. The gate is integrated by
 *  Simpson's rule on short steps, everything else is exact. */
export function toyPath(times, a, t0, k = 0.1, v = 3) {
  const own = (v * a) / 2,
    other = v / (2 * a),
    rate = own + other,
    longest = Math.min(0.1 / rate, 0.1 / k);
  let t = 0,
    lagged = 0; // the integral of exp(-rate (t - s)) gate(s) over s up to t
  return times.map((end) => {
    const count = Math.max(Math.ceil((end - t) / longest), 1),
      h = (end - t) / count;
    for (let i = 0; i < count && h > 0; i++, t += h) {
      const fade = Math.exp(-rate * h),
        [first, middle, last] = [0, h / 2, h].map((s) => gateAt(t + s, t0, k));
      lagged = fade * lagged + (h / 6) * (fade * first + 4 * Math.exp((-rate * h) / 2) * middle + last);
    }
    t = end;
    const fade = Math.exp(-rate * end);
    return [
      0.5 * fade + (own / rate) * (1 - fade) + other * lagged,
      0.5 * fade + (other / rate) * (1 - fade) + own * lagged,
    ];
  });
}

/** Mean distance between two paths, where both are known. */
export function pathDistance(first, second) {
  const apart = first.map(([x, y], i) => Math.hypot(x - second[i][0], y - second[i][1])).filter(Number.isFinite);
  return apart.length ? apart.reduce((a, b) => a + b, 0) / apart.length : NaN;
}

/** What the reader sees, in words. */
export function pathWords(contrast, step, [blue, small], converged, distance) {
  const head = `Contrast of colour ${contrast.toFixed(2).replace(/^(0\.\d)0$/, "$1")}, step ${number(step)}: asked for a small blue disc, the model draws `;
  const body = Number.isFinite(blue)
    ? `${Math.round(100 * blue)} % blue and ${Math.round(100 * small)} % small ones`
    : "nothing that can be read as a disc yet";
  const star =
    converged === undefined ? " The trained classes do not all arrive." : ` The trained classes have arrived at step ${number(converged)} (star).`;
  return `${head}${body}.${star} The toy path stays ${distance.toFixed(2)} away on average.`;
}
