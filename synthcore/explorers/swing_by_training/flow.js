// The exact flow: gradient flow of the linear network on the mixture itself, in place of updates on samples.

/** dU/dt and dV/dt of W = V U^T into `out`: E = (W - I) A, dU = -E^T V, dV = -E U; tied, dU = -(E + E^T) U. */
function velocity(state, a, k, tied, out) {
  const u = state.subarray(0, 2 * k),
    v = tied ? u : state.subarray(2 * k),
    e = errorTimesMoment(mapOf(state, k, tied), a);
  for (let i = 0; i < k; i++)
    for (let c = 0; c < 2; c++) {
      const down = e[c] * v[i] + e[2 + c] * v[k + i], // (E^T V)
        across = e[2 * c] * u[i] + e[2 * c + 1] * u[k + i]; // (E U)
      if (tied) out[c * k + i] = -down - across;
      else {
        out[c * k + i] = -down;
        out[2 * k + c * k + i] = -across;
      }
    }
  return out;
}

/** V U^T of the state (U, then V unless tied; each 2 x K), four numbers. */
function mapOf(state, k, tied) {
  const w = [0, 0, 0, 0],
    shift = tied ? 0 : 2 * k;
  for (let i = 0; i < k; i++)
    for (let e = 0; e < 4; e++) w[e] += state[shift + (e >> 1) * k + i] * state[(e & 1) * k + i];
  return w;
}

const errorTimesMoment = (w, a) => [(w[0] - 1) * a[0], w[1] * a[1], w[2] * a[0], (w[3] - 1) * a[1]];

const ENOUGH = 0.02, // nearer than this to those of the identity, all entries of the map have arrived
  BEYOND = 1.3, // a run lasts this much longer than the flow needs
  PATIENCE = 16; // but at most so many times 1 / a_min

/** { updates, t, maps }: the flow from the settings' own start (for ReLU, from that of the linear network which starts as
 *  the same map) by Runge-Kutta of order 4 in U and V, with steps of `step` / a_max in t = rate x updates; until 1.3 times
 *  as long as the map needs, a round number of updates. `at` gives times instead. */
export function exactFlow(settings, step = 0.02, at = null) {
  const { mu, sigma, rate, width: k } = settings,
    a = strengths(mu, sigma),
    tied = settings.network === "tied",
    { first, second } = initialWeights({ ...settings, network: tied ? "tied" : "linear" });
  const n = (tied ? 2 : 4) * k,
    state = new Float64Array(n);
  for (let i = 0; i < k; i++) for (let c = 0; c < 2; c++) state[c * k + i] = first[2 * i + c];
  if (!tied) state.set(second, 2 * k);
  const [k1, k2, k3, k4, there] = Array.from({ length: 5 }, () => new Float64Array(n));
  function advance(h) {
    const from = (slope, share) => {
      for (let e = 0; e < n; e++) there[e] = state[e] + share * slope[e];
      return there;
    };
    velocity(state, a, k, tied, k1);
    velocity(from(k1, h / 2), a, k, tied, k2);
    velocity(from(k2, h / 2), a, k, tied, k3);
    velocity(from(k3, h), a, k, tied, k4);
    for (let e = 0; e < n; e++) state[e] += (h / 6) * (k1[e] + 2 * (k2[e] + k3[e]) + k4[e]);
  }
  const largest = step / Math.max(...a),
    t = [0],
    maps = [mapOf(state, k, tied)];
  function go(to) {
    const count = Math.max(Math.ceil((to - t[t.length - 1]) / largest - 1e-9), 1),
      h = (to - t[t.length - 1]) / count;
    for (let i = 0; i < count; i++) advance(h);
    t.push(to);
    maps.push(mapOf(state, k, tied));
  }
  if (at) {
    for (const time of at) if (time > t[t.length - 1]) go(time);
    return { updates: null, t, maps };
  }
  const last = PATIENCE / Math.min(...a),
    far = (w) => w.some((v, e) => Math.abs(v - (e % 3 ? 0 : 1)) > ENOUGH);
  while (far(maps[maps.length - 1]) && t[t.length - 1] < last) go(t[t.length - 1] + largest);
  const needed = (BEYOND * t[t.length - 1]) / rate,
    unit = 10 ** Math.max(Math.floor(Math.log10(needed)) - 1, 0),
    updates = Math.ceil(needed / unit) * unit;
  while (t[t.length - 1] < rate * updates * (1 - 1e-9)) go(Math.min(t[t.length - 1] + largest, rate * updates));
  return { updates, t, maps };
}

/** What is drawn of a map at x^, for every map: outputs f, the loss there, and what each output is lent by the other cluster. */
export function atSum(maps, mu) {
  const f = maps.map((w) => [w[0] * mu[0] + w[1] * mu[1], w[2] * mu[0] + w[3] * mu[1]]);
  return {
    f,
    ood: f.map(([p, q]) => ((p - mu[0]) ** 2 + (q - mu[1]) ** 2) / 2),
    lent: maps.map((w) => [w[1] * mu[1], w[2] * mu[0]]),
  };
}

/** |(W - I) A^(1/2)|^2 / 2: the linear network's loss on the mixture. */
export function mixtureLoss(maps, a) {
  return maps.map((w) => ((w[0] - 1) ** 2 * a[0] + w[1] ** 2 * a[1] + w[2] ** 2 * a[0] + (w[3] - 1) ** 2 * a[1]) / 2);
}
