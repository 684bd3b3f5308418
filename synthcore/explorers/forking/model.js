// Texts with forks: exact outcomes, samples of them, and the exact posterior of change points.
// Letters: R regimes, T positions, W tokens at a place, K outcomes, E = T + 1 cuts. Flat arrays, row
// by row. No drawing.

/** World number n of { T, W, R, K, tokens, p, to, ends }: views of its part of the arrays, and the
 *  value of every state: values[(r * (T + 1) + t) * K + k] = P(outcome k | regime r, position t). */
export function world(data, n) {
  const { T, W, R, K } = data,
    places = R * T * W,
    cut = (array, size) => array.subarray(n * size, (n + 1) * size);
  const one = { T, W, R, K, tokens: cut(data.tokens, places), p: cut(data.p, places), to: cut(data.to, places) };
  const ends = cut(data.ends, R * K),
    values = new Float64Array(R * (T + 1) * K);
  for (let r = 0; r < R; r++) for (let k = 0; k < K; k++) values[(r * (T + 1) + T) * K + k] = ends[r * K + k];
  for (let t = T - 1; t >= 0; t--)
    for (let r = 0; r < R; r++)
      for (let w = 0; w < W; w++) {
        const at = (r * T + t) * W + w,
          share = one.p[at];
        for (let k = 0; share > 0 && k < K; k++)
          values[(r * (T + 1) + t) * K + k] += share * values[(one.to[at] * (T + 1) + t + 1) * K + k];
      }
  return { ...one, values };
}

/** P(outcome | regime, position), K numbers. */
export function valueAt({ T, K, values }, r, t) {
  return values.subarray((r * (T + 1) + t) * K, (r * (T + 1) + t + 1) * K);
}

/** The text that takes token `swaps.get(t)` at t, else the first: [{ r, chosen, branches }] where
 *  branches are [{ w, token, p, to, after }], all that may stand there. */
export function textOf(one, swaps) {
  const { T, W } = one,
    text = [];
  for (let t = 0, r = 0; t < T; t++) {
    const branches = [];
    for (let w = 0; w < W; w++) {
      const at = (r * T + t) * W + w;
      if (one.p[at] > 0)
        branches.push({ w, token: one.tokens[at], p: one.p[at], to: one.to[at], after: valueAt(one, one.to[at], t + 1) });
    }
    const chosen = Math.min(swaps.get(t) ?? 0, branches.length - 1);
    text.push({ r, chosen, branches, exact: valueAt(one, r, t) });
    r = branches[chosen].to;
  }
  return text;
}

/** Outcome counts of S completions after a branch; a larger S extends a smaller one. */
export function sampleCounts(after, S, seed) {
  const draw = generator(seed),
    counts = new Array(after.length).fill(0);
  for (let s = 0; s < S; s++) {
    let u = draw(),
      k = 0;
    while (k < after.length - 1 && u >= after[k]) u -= after[k++];
    counts[k]++;
  }
  return counts;
}

/** Everything that samples say about a text: per position the branches that were tried (the chosen
 *  token, and others above the threshold) with their shares, o_t, n_eff, hazard and jump. */
export function analyse(one, text, { samples, threshold, eps, draw }) {
  const { T, K } = one;
  let branches = 0,
    cost = 0;
  const rows = text.map((place, t) => {
    const tried = place.branches.filter((b, i) => i === place.chosen || b.p > threshold);
    const mass = tried.reduce((sum, b) => sum + b.p, 0);
    branches += tried.length;
    cost += tried.length * samples * (T - 1 - t);
    const seen = tried.map((b) => {
      const seed = ((draw * T + t) * 8 + b.w) * 97 + place.r;
      return { ...b, weight: b.p / mass, share: sampleCounts(b.after, samples, seed).map((c) => c / samples) };
    });
    const own = seen.find((b) => b.w === place.branches[place.chosen].w);
    const o = Array.from({ length: K }, (_, k) => seen.reduce((sum, b) => sum + b.weight * b.share[k], 0));
    const far = seen.map((b) => Math.hypot(...b.share.map((v, k) => v - own.share[k])));
    const hazard = seen.reduce((sum, b, i) => sum + (b !== own && far[i] >= eps ? b.weight : 0), 0);
    const n = samples / seen.reduce((sum, b) => sum + b.weight ** 2, 0);
    const next = place.branches[place.chosen].after;
    const jump = 0.5 * place.exact.reduce((sum, v, k) => sum + Math.abs(v - next[k]), 0);
    return { seen, own, o, far, hazard, n, jump, exact: place.exact };
  });
  return { rows, branches, cost };
}

/** log Gamma(x), x > 0: Stirling's series after shifting to x >= 10. */
export function logGamma(x) {
  let shift = 0;
  for (; x < 10; x++) shift -= Math.log(x);
  const y = 1 / (x * x);
  const series = (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x;
  return shift + (x - 0.5) * Math.log(x) - x + 0.9189385332046727 + series;
}

/** Log evidence of segments [s, e) at [s * (T + 1) + e]: one Dirichlet-multinomial each; -Infinity
 *  below the least length. `counts` is one array of K numbers per position. */
export function dmEvidence(counts, alpha, least) {
  const T = counts.length,
    K = counts[0].length,
    out = new Float64Array((T + 1) ** 2).fill(-Infinity),
    prior = K * logGamma(alpha);
  for (let s = 0; s < T; s++) {
    const total = new Array(K).fill(0);
    let n = 0;
    for (let e = s + 1; e <= T; e++) {
      for (let k = 0; k < K; k++) {
        total[k] += counts[e - 1][k];
        n += counts[e - 1][k];
      }
      if (e - s < least) continue;
      let value = logGamma(K * alpha) - logGamma(K * alpha + n) - prior;
      for (const c of total) value += logGamma(alpha + c);
      out[s * (T + 1) + e] = value;
    }
  }
  return out;
}

function logSum(values) {
  const top = Math.max(...values);
  return top === -Infinity ? top : top + Math.log(values.reduce((sum, v) => sum + Math.exp(v - top), 0));
}

/** log of the number of ways to cut T positions into m + 1 segments of the least length. */
export function logWays(T, m, least) {
  const free = T - (m + 1) * least;
  return free < 0 ? -Infinity : logGamma(free + m + 1) - logGamma(m + 1) - logGamma(free + 1);
}

/** The exact posterior of change points: { pm, ptau } by dynamic programming, m uniform on 0..most
 *  and cuts uniform given m. */
export function posterior(L, T, most, least) {
  const E = T + 1,
    forward = [Float64Array.from({ length: E }, (_, e) => L[e])],
    backward = [Float64Array.from({ length: E }, (_, s) => L[s * E + T])];
  for (let k = 1; k <= most; k++) {
    const [f, b] = [forward[k - 1], backward[k - 1]];
    const go = new Float64Array(E).fill(-Infinity),
      back = new Float64Array(E).fill(-Infinity);
    for (let i = 0; i < E; i++) {
      const ahead = [-Infinity],
        behind = [-Infinity];
      for (let j = 0; j < i; j++) if (f[j] + L[j * E + i] > -Infinity) ahead.push(f[j] + L[j * E + i]);
      for (let j = i + 1; j < E; j++) if (L[i * E + j] + b[j] > -Infinity) behind.push(L[i * E + j] + b[j]);
      go[i] = logSum(ahead);
      back[i] = logSum(behind);
    }
    forward.push(go);
    backward.push(back);
  }
  const evidence = forward.map((f, m) => {
    const ways = logWays(T, m, least);
    return ways === -Infinity ? -Infinity : f[T] - ways;
  });
  const all = logSum(evidence),
    pm = evidence.map((v) => Math.exp(v - all)),
    ptau = new Array(T).fill(0);
  for (let m = 1; m <= most; m++) {
    if (pm[m] === 0) continue;
    for (let k = 1; k <= m; k++)
      for (let t = 1; t < T; t++)
        ptau[t] += pm[m] * Math.exp(forward[k - 1][t] + backward[m - k][t] - forward[m][T]);
  }
  return { pm, ptau };
}

/** What is shown, in words. */
export function forkingVerdict(found, { pm, ptau }, words, { samples, threshold, eps }) {
  const some = 1 - pm[0],
    mode = pm.indexOf(Math.max(...pm));
  const places = [...ptau.keys()].sort((a, b) => ptau[b] - ptau[a]).slice(0, mode);
  const named = places.sort((a, b) => a - b).map((t) => `“${words[t - 1].trim()}” (${t - 1})`);
  const changes =
    mode === 0
      ? "no change point is most probable"
      : `${mode} change point${mode === 1 ? " is" : "s are"} most probable, after ${named.join(", ")}`;
  const large = found.rows.filter((row) => row.jump >= 0.1).length,
    hazards = found.rows.filter((row) => row.hazard > 0).length;
  return (
    `With ${samples} completion${samples === 1 ? "" : "s"} after each of ${found.branches} tokens above ` +
    `${(100 * threshold).toFixed(0)} % (${number(found.cost)} sampled tokens): P(a change) = ${some.toFixed(2)}; ${changes}. ` +
    `In truth the outcomes jump by .1 or more at ${large} token${large === 1 ? "" : "s"}. ` +
    `Another token is ${eps.toFixed(2)} or more away at ${hazards} position${hazards === 1 ? "" : "s"}.`
  );
}
