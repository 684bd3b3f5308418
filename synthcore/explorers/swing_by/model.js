// Gradient flow of f(x) = U U^T x on the structured identity map: the field, its integral, closed forms.
// Everything is in the paper's clock tau, which runs twice as fast as gradient flow: t = tau / 2.
// Letters: s concepts, T output times. A matrix W is s * s numbers in row order.

/** W(0) = omega [(1 - rho) I + rho 1 1^T]; without minor entries only its diagonal. */
export function initial(omega, rho, s, minor = true) {
  return Float64Array.from({ length: s * s }, (_, e) => (e % (s + 1) === 0 ? omega : minor ? omega * rho : 0));
}

/** a_i + a_j in the order of W. */
function sums(a) {
  return Float64Array.from(a.flatMap((ai) => a.map((aj) => ai + aj)));
}

/** dW/dtau = C - (C W + W C) / 2 with C = A W + W A into `out`, for s concepts. `both` holds the
 *  sums a_i + a_j; `c` is scratch. W and C are symmetric, so half of the entries are computed. */
function flow(w, both, s, out, c) {
  for (let e = 0; e < s * s; e++) c[e] = both[e] * w[e];
  for (let i = 0; i < s; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < s; k++) sum += c[i * s + k] * w[j * s + k] + c[j * s + k] * w[i * s + k];
      out[i * s + j] = out[j * s + i] = c[i * s + j] - sum / 2;
    }
  }
  return out;
}

/** dW/dtau at W. */
export function field(w, a) {
  return flow(w, sums(a), a.length, new Float64Array(w.length), new Float64Array(w.length));
}

/** W at the rising times `taus`, T * s * s numbers, by Runge-Kutta of order 4 with steps of at most
 *  `step` / a_max. */
export function integrate(w0, a, taus, step = 0.08) {
  const n = w0.length,
    s = a.length,
    both = sums(a),
    largest = step / Math.max(...a),
    out = new Float64Array(n * taus.length);
  const [w, at, c, k1, k2, k3, k4] = Array.from({ length: 7 }, () => new Float64Array(n));
  w.set(w0);
  let now = 0;
  taus.forEach((tau, t) => {
    const count = Math.ceil((tau - now) / largest),
      h = (tau - now) / Math.max(count, 1);
    for (let i = 0; i < count; i++) {
      flow(w, both, s, k1, c);
      for (let e = 0; e < n; e++) at[e] = w[e] + (h / 2) * k1[e];
      flow(at, both, s, k2, c);
      for (let e = 0; e < n; e++) at[e] = w[e] + (h / 2) * k2[e];
      flow(at, both, s, k3, c);
      for (let e = 0; e < n; e++) at[e] = w[e] + h * k3[e];
      flow(at, both, s, k4, c);
      for (let e = 0; e < n; e++) w[e] += (h / 6) * (k1[e] + 2 * (k2[e] + k3[e]) + k4[e]);
    }
    now = tau;
    out.set(w, t * n);
  });
  return out;
}

/** seed e^x / (1 - seed + seed e^x) without overflow: a major entry on its own, at x = 2 a tau. */
export function logistic(seed, x) {
  return seed / (seed + (1 - seed) * Math.exp(-x));
}

/** W at `taus` if the minor entries are held at zero: each diagonal entry is logistic, exactly. */
export function withoutMinor(omega, a, taus) {
  const s = a.length,
    out = new Float64Array(taus.length * s * s);
  taus.forEach((tau, t) => a.forEach((ap, p) => (out[t * s * s + p * (s + 1)] = logistic(omega, 2 * ap * tau))));
  return out;
}

/** The closed form for two concepts: [w_strong, w_minor, w_weak] at tau. p, r: W(0)'s strong and
 *  minor entry; q = w_weak(0) - r^2 / p. An approximation that becomes exact as W(0) -> 0. */
export function twoConcepts(tau, strong, weak, p, r, q) {
  const growth = (a, seed) => 2 * a * tau + Math.log(seed + (1 - seed) * Math.exp(-2 * a * tau));
  const dStrong = growth(strong, p),
    dWeak = growth(weak, q);
  const wStrong = p * Math.exp(2 * strong * tau - dStrong);
  const minor =
    r *
    Math.exp(
      (strong + weak) * tau -
        ((3 * strong + weak) / (4 * strong)) * dStrong -
        ((3 * weak + strong) / (4 * weak)) * dWeak,
    );
  return [wStrong, minor, q * Math.exp(2 * weak * tau - dWeak) + minor ** 2 / wStrong];
}

/** The closed form at all `taus` in the order of W: T * 4 numbers. */
export function closedForm(omega, rho, a, taus) {
  const strong = a[0] >= a[1] ? 0 : 1,
    r = omega * rho,
    out = new Float64Array(4 * taus.length);
  taus.forEach((tau, t) => {
    const [major, minor, weak] = twoConcepts(tau, a[strong], a[1 - strong], omega, r, omega - (r * r) / omega);
    out.set(strong === 0 ? [major, minor, minor, weak] : [weak, minor, minor, major], 4 * t);
  });
  return out;
}

/** What concept p starts from: the pivots of W(0), concepts taken by decreasing strength. */
export function pivots(omega, rho, a) {
  const order = a.map((_, p) => p).sort((p, q) => a[q] - a[p] || p - q),
    out = [];
  order.forEach((p, k) => (out[p] = k ? (omega * (1 - rho) * (1 + k * rho)) / (1 + (k - 1) * rho) : omega));
  return out;
}

/** [first, last] time worth showing: from hardly any growth until the slowest concept is learned to
 *  .999 by the law of the pivots, rounded outwards so that the axis rests under small changes. */
export function horizon(omega, rho, a) {
  const round = (v, up) => {
    const unit = 10 ** Math.floor(Math.log10(v) + 1e-9);
    const marks = [1, 1.5, 2, 3, 5, 7, 10].map((m) => m * unit);
    return up ? marks.find((m) => m >= v * (1 - 1e-9)) : marks.findLast((m) => m <= v * (1 + 1e-9));
  };
  const ends = pivots(omega, rho, a).map((d, p) => Math.log((999 * (1 - d)) / d) / (2 * a[p]));
  return [round(0.08 / Math.max(...a), false), round(Math.max(...ends), true)];
}

/** 0 and then `count` times, evenly spaced on a log axis. */
export function grid([first, last], count) {
  const ratio = Math.log(last / first) / (count - 1);
  return [0, ...Array.from({ length: count }, (_, i) => first * Math.exp(i * ratio))];
}

/** f(x^) = W mu at every time: T arrays of s numbers. */
export function outputs(run, mu) {
  const s = mu.length;
  return Array.from({ length: run.length / (s * s) }, (_, t) =>
    mu.map((_, k) => mu.reduce((sum, m, p) => sum + run[(t * s + k) * s + p] * m, 0)),
  );
}

/** |f(x^) - x^|^2 / 2 at every time. */
export function oodLoss(fs, mu) {
  return fs.map((f) => f.reduce((sum, v, k) => sum + (v - mu[k]) ** 2 / 2, 0));
}

/** |(W - I) A^(1/2)|^2 / 2 at every time: the loss on the training mixture. */
export function trainLoss(run, a) {
  const s = a.length;
  return Array.from({ length: run.length / (s * s) }, (_, t) => {
    let sum = 0;
    for (let e = 0; e < s * s; e++) sum += ((run[t * s * s + e] - (e % (s + 1) === 0 ? 1 : 0)) ** 2 * a[e % s]) / 2;
    return sum;
  });
}

/** Everything that is drawn, from the reader's choice of { mu, sigma, omega, rho, minor }. */
export function simulate({ mu, sigma, omega, rho, minor }, count = 320) {
  const s = mu.length,
    a = strengths(mu, sigma),
    taus = grid(horizon(omega, rho, a), count);
  const free = minor ? integrate(initial(omega, rho, s), a, taus) : null,
    bare = withoutMinor(omega, a, taus);
  const run = free ?? bare,
    f = outputs(run, mu),
    ood = oodLoss(f, mu);
  const bareF = outputs(bare, mu);
  return {
    mu,
    sigma,
    omega,
    rho,
    minor,
    s,
    a,
    taus,
    run,
    f,
    ood,
    train: trainLoss(run, a),
    bareF,
    bareOod: oodLoss(bareF, mu),
    closed: s === 2 && minor ? closedForm(omega, rho, a, taus) : null,
    entry: (i, j, of = run) => taus.map((_, t) => of[(t * s + i) * s + j]),
  };
}
