// Four predictors of the next symbol of a Markov chain. Pure functions, no drawing.
// Letters: k states, N chains, T context length, c symbols used (1..T), s current state.
// A chain is a flat k*k row-stochastic array; a context is an array of state indices.

/** A k*k matrix with Dirichlet(1, ..., 1) rows: normalised unit exponentials. */
export function drawChain(k, uniform) {
  const chain = new Float64Array(k * k);
  for (let s = 0; s < k; s++) {
    let total = 0;
    for (let j = 0; j < k; j++) total += chain[s * k + j] = -Math.log(uniform());
    for (let j = 0; j < k; j++) chain[s * k + j] /= total;
  }
  return chain;
}

/** pi with pi T = pi, sum 1: Gaussian elimination on the stacked system, one equation replaced. */
export function stationary(chain, k) {
  const a = [];
  for (let i = 0; i < k; i++) {
    const row = [];
    for (let j = 0; j < k; j++) row.push(i === k - 1 ? 1 : chain[j * k + i] - (i === j ? 1 : 0));
    row.push(i === k - 1 ? 1 : 0);
    a.push(row);
  }
  for (let col = 0; col < k; col++) {
    let pivot = col;
    for (let r = col + 1; r < k; r++) if (Math.abs(a[r][col]) > Math.abs(a[pivot][col])) pivot = r;
    [a[col], a[pivot]] = [a[pivot], a[col]];
    for (let r = 0; r < k; r++) {
      if (r === col) continue;
      const f = a[r][col] / a[col][col];
      for (let j = col; j <= k; j++) a[r][j] -= f * a[col][j];
    }
  }
  const pi = Float64Array.from(a, (row, i) => Math.max(row[k] / row[i], 0));
  const total = pi.reduce((x, y) => x + y, 0);
  return pi.map((p) => p / total);
}

/** The state at which the cumulative probabilities of `row` pass u. */
function invert(row, u) {
  let j = 0;
  for (let sum = row[0]; u > sum && j < row.length - 1; sum += row[j]) j++;
  return j;
}

/** x_0 ~ pi, x_t ~ T[x_(t-1), .] from given uniforms, after the states in `start`.
 *  The same uniforms under a slightly different chain give a slightly different context. */
export function sampleContext(chain, k, uniforms, start = []) {
  const context = Array.from(start);
  const pi = stationary(chain, k);
  for (const u of uniforms) {
    const s = context[context.length - 1];
    context.push(invert(s === undefined ? pi : chain.subarray(s * k, s * k + k), u));
  }
  return context;
}

/** Set one probability of a row and rescale the others; none falls below `floor`. */
export function setEntry(row, j, p, floor = 0.01) {
  const k = row.length;
  const value = Math.min(Math.max(p, floor), 1 - floor * (k - 1));
  const spare = row.map((q, i) => (i === j ? 0 : Math.max(q - floor, 0)));
  const total = spare.reduce((x, y) => x + y, 0);
  const rest = 1 - value - floor * (k - 1);
  return row.map((_, i) => (i === j ? value : floor + rest * (total > 0 ? spare[i] / total : 1 / (k - 1))));
}

/** exp(x - logsumexp(x)) into `out`; returns the entropy of the result in nats. */
export function softmax(x, out) {
  let top = -Infinity;
  for (let i = 0; i < x.length; i++) if (x[i] > top) top = x[i];
  let total = 0;
  let moment = 0;
  for (let i = 0; i < x.length; i++) {
    const below = x[i] - top;
    out[i] = Math.exp(below);
    total += out[i];
    moment += out[i] * below;
  }
  for (let i = 0; i < x.length; i++) out[i] /= total;
  return Math.log(total) - moment / total;
}

/** sum_j p_j ln(p_j / q_j) in nats. */
export function divergence(p, q) {
  let sum = 0;
  for (let j = 0; j < p.length; j++) if (p[j] > 0) sum += p[j] * Math.log(p[j] / q[j]);
  return Math.max(sum, 0); // rounding may leave -1e-17
}

/** Expected KL(Bi-Inf || truth) after n visits to a row of k states with a Dirichlet(1) prior:
 *  k sum_m P(m) q_m [ln q_m - psi(m+1) + psi(n+k)],  q_m = (m+1)/(n+k),
 *  P(m) = C(n-m+k-2, k-2) / C(n+k-1, k-1). Differences of psi are differences of harmonic numbers. */
export function expectedBigramKL(n, k) {
  const harmonic = [0],
    logFactorial = [0];
  for (let i = 1; i < n + k; i++) {
    harmonic.push(harmonic[i - 1] + 1 / i);
    logFactorial.push(logFactorial[i - 1] + Math.log(i));
  }
  const logBinomial = (a, b) => logFactorial[a] - logFactorial[b] - logFactorial[a - b];
  let sum = 0;
  for (let m = 0; m <= n; m++) {
    const p = Math.exp(logBinomial(n - m + k - 2, k - 2) - logBinomial(n + k - 1, k - 1));
    const q = (m + 1) / (n + k);
    sum += p * q * (Math.log(q) - harmonic[m] + harmonic[n + k - 1]);
  }
  return k * sum;
}

/** N chains with what `predict` reads in its inner loops: for each entry e of the k*k tables and
 *  each state j, that entry of all chains side by side, and its logarithm. */
export function library(chains, k) {
  const stationaries = chains.map((chain) => stationary(chain, k));
  const columns = (rows, count) => Array.from({ length: count }, (_, e) => Float64Array.from(rows, (row) => row[e]));
  const entries = columns(chains, k * k);
  const pi = columns(stationaries, k);
  const log = (values) => values.map((column) => column.map((p) => Math.log(Math.max(p, 1e-300))));
  return { k, chains, entries, pi, logEntries: log(entries), logPi: log(pi) };
}

/** All four predictors after each symbol of `context`, with a uniform prior over the first `size`
 *  chains. Lists over c = 1..T, at index c - 1:
 *  - `current` state s, `visits` n_s: how often s was left before;
 *  - `tables`: four k*k arrays (uniRet, biRet, uniInf, biInf): row i predicts what follows state i;
 *  - `kl`: KL(estimate || truth) of row s for the four, `expected`: of Bi-Inf after n_s visits;
 *  - `meanKl`, `meanExpected`: the same averaged over all rows by the truth's stationary weights;
 *  - `posteriors` over chains by symbols and by transitions, `inPlay`: exp of their entropies. */
export function predict(shelf, size, context, truth) {
  const k = shelf.k,
    T = context.length;
  const logUni = new Float64Array(size),
    logBi = new Float64Array(size);
  const symbols = new Float64Array(k),
    pairs = new Float64Array(k * k),
    visits = new Float64Array(k);
  const pi = stationary(truth, k),
    theory = Array.from({ length: T + 1 }, (_, n) => expectedBigramKL(n, k));
  const names = ["current", "visits", "tables", "kl", "expected", "meanKl", "meanExpected", "posteriors", "inPlay"];
  const result = Object.fromEntries(names.map((name) => [name, []]));
  for (let t = 0; t < T; t++) {
    const s = context[t],
      before = context[t - 1];
    const symbolTerm = shelf.logPi[s];
    const stepTerm = t === 0 ? symbolTerm : shelf.logEntries[before * k + s];
    for (let n = 0; n < size; n++) {
      logUni[n] += symbolTerm[n];
      logBi[n] += stepTerm[n];
    }
    symbols[s] += 1;
    if (t > 0) {
      pairs[before * k + s] += 1;
      visits[before] += 1;
    }
    const uni = new Float64Array(size),
      bi = new Float64Array(size);
    const inPlay = [Math.exp(softmax(logUni, uni)), Math.exp(softmax(logBi, bi))];
    const tables = predictions(shelf, uni, bi, symbols, pairs, visits);
    const rows = tables.map((table) =>
      Array.from({ length: k }, (_, i) =>
        divergence(table.subarray(i * k, i * k + k), truth.subarray(i * k, i * k + k)),
      ),
    );
    const weighted = (values) => values.reduce((sum, value, i) => sum + pi[i] * value, 0);
    result.current.push(s);
    result.visits.push(visits[s]);
    result.tables.push(tables);
    result.kl.push(rows.map((row) => row[s]));
    result.expected.push(theory[visits[s]]);
    result.meanKl.push(rows.map(weighted));
    result.meanExpected.push(weighted(Array.from(visits, (n) => theory[n])));
    result.posteriors.push([uni, bi]);
    result.inPlay.push(inPlay);
  }
  return result;
}

/** sum_n w_n x_n over the first w.length chains. */
function dot(w, x) {
  let sum = 0;
  for (let n = 0; n < w.length; n++) sum += w[n] * x[n];
  return sum;
}

/** The four k*k tables at one position, from posteriors and counts. */
function predictions(shelf, uni, bi, symbols, pairs, visits) {
  const k = shelf.k;
  const [uniRet, biRet, uniInf, biInf] = [0, 1, 2, 3].map(() => new Float64Array(k * k));
  const mean = shelf.pi.map((column) => dot(uni, column));
  const length = symbols.reduce((a, b) => a + b, 0);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      const e = i * k + j;
      uniRet[e] = mean[j];
      biRet[e] = dot(bi, shelf.entries[e]);
      uniInf[e] = (symbols[j] + 1) / (length + k);
      biInf[e] = (pairs[e] + 1) / (visits[i] + k);
    }
  }
  return [uniRet, biRet, uniInf, biInf];
}

/** Read letters, in any case and with spaces or commas: {letters, context} or {error}, one sentence that says what to change. */
export function readContext(text, k, longest) {
  const alphabet = "ABCDE".slice(0, k);
  const letters = text.toUpperCase().replace(/[\s,]/g, "");
  const wrong = [...new Set([...letters].filter((letter) => !alphabet.includes(letter)))];
  const choice = [...alphabet].slice(0, -1).join(", ") + " and " + alphabet[k - 1];
  if (wrong.length)
    return { error: `This chain only knows the letters ${choice}: please remove ${wrong.slice(0, 5).join(" ")}.` };
  if (letters.length > longest) return { error: `At most ${longest} symbols fit here (${letters.length} given).` };
  return { letters, context: [...letters].map((letter) => alphabet.indexOf(letter)) };
}

/** A permutation of `items` (Fisher-Yates). */
export function shuffled(items, uniform) {
  const out = items.slice();
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/** A KL divergence as text; below a thousandth it is as good as none. */
export function nats(kl) {
  return kl < 0.0005 ? "<0.001" : kl.toFixed(3);
}

/** What the curves say after c symbols, and why. `source` of the truth is "training", "new" or
 *  "edited"; `foreign` tells that the truth did not write the context as it stands. */
export function retrievalVerdict(result, c, size, source, foreign, names) {
  if (!result.current.length) return "No context yet: type a letter, or let the chain write one with +1.";
  const i = c - 1;
  const kl = result.meanKl[i];
  const visits = result.visits[i];
  const best = kl.indexOf(Math.min(...kl));
  const times = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const facts = [
    `After ${times(c, "symbol")}, ${ALGORITHMS[best].name} (${ALGORITHMS[best].does}) is closest to the true chain:`,
    `${nats(kl[best])} nats off, averaged over its rows.`,
    `By transitions, ${Math.max(result.inPlay[i][1], 1).toFixed(1)} of ${times(size, "chain")} are in play;`,
    `${names[result.current[i]]} was left ${times(visits, "time")} before, so its row in Bi-Inf should be about`,
    `${nats(result.expected[i])} nats off (it is ${nats(result.kl[i][3])}).`,
  ];
  const moral = {
    training: [
      "The truth is in the library, so looking it up wins.",
      "The truth is in the library; more context will single it out.",
    ],
    new: [
      "The truth is not in the library: looking up settles on a wrong chain, counting finds it.",
      "The truth is not in the library: more context will favour counting bigrams.",
    ],
  }[source === "training" ? "training" : "new"];
  const winner = source === "training" ? 1 : 3;
  const last = foreign
    ? "The true chain did not write this context, so nothing need come close to it."
    : moral[best === winner ? 0 : 1];
  return [...facts, last].join(" ");
}
