// Accuracy over (k, m), and the examples of every cell. Pure functions, no drawing.
// Letters: S subsets, L positions, N functions of a position without the identity, E examples, K word
// length, B blocks of an answer (L step by step, 1 direct).

/** n over r. */
export function binomial(n, r) {
  let out = 1;
  for (let i = 1; i <= r; i++) out = (out * (n - r + i)) / i;
  return Math.round(out);
}

/** Compositions with k functions that are no identity, m of them displaced. */
export function cellSize(L, N, k, m) {
  return binomial(L, k) * binomial(k, m) * N ** (k - m) * ((L - 1) * N) ** m;
}

/** Read the synced arrays once, with accessors by index. */
export function gridData(model) {
  const bytes = (name) => {
    const view = model.get(name);
    return view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  };
  const tables = model.get("tables"),
    L = tables.length,
    N = tables[0].length - 1,
    [E, K, B] = model.get("sizes");
  const accuracy = new Float32Array(bytes("accuracy")),
    examples = new Int8Array(bytes("examples")),
    side = L + 1,
    long = 2 * L + K + B * K;
  const pairs = (flat, width) => Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
  return {
    tables,
    L,
    N,
    E,
    K,
    B,
    subsets: model.get("subsets"),
    trained: model.get("n_train"),
    measure: model.get("measure"),
    symbols: [...model.get("symbols")],
    accuracy: (s, k, m) => accuracy[(s * side + k) * side + m],
    examples: (s, k, m) => {
      const out = [];
      for (let e = 0; e < E; e++) {
        const from = (((s * side + k) * side + m) * E + e) * long,
          flat = Array.from(examples.subarray(from, from + long));
        if (flat[0] < 0) continue;
        out.push({
          composition: pairs(flat.slice(0, 2 * L), 2),
          word: flat.slice(2 * L, 2 * L + K),
          blocks: pairs(flat.slice(2 * L + K), K),
        });
      }
      return out;
    },
  };
}

/** Mean accuracy of a subset over all measured cells, weighted by their sizes; and their number. */
export function overall(data, s) {
  let sum = 0,
    size = 0;
  for (let k = 0; k <= data.L; k++)
    for (let m = 0; m <= k; m++) {
      const value = data.accuracy(s, k, m);
      if (!Number.isFinite(value)) continue;
      const cell = cellSize(data.L, data.N, k, m);
      sum += cell * value;
      size += cell;
    }
  return { mean: sum / size, size };
}

/** "right", "wrong" or "carried" (a right step from a wrong symbol) for slot j of block b (from 0). */
export function judgeExample(data, { composition, blocks, word }, truth, b, j) {
  const first = data.B === 1 ? data.L : 1;
  if (blocks[b][j] === truth[first + b][j]) return "right";
  if (data.B === 1) return "wrong";
  const before = b === 0 ? word[j] : blocks[b - 1][j],
    [d, i] = composition[b];
  return before >= 0 && data.tables[d][i][before] === blocks[b][j] ? "carried" : "wrong";
}

/** What went wrong first in an example, in words. */
export function exampleWords(data, example) {
  const truth = chain(data.tables, example.composition, example.word);
  if (data.B === 1) {
    const error = firstError(truth, example.blocks, data.L);
    return error ? `The answer is wrong, from symbol ${error.slot} on or there alone.` : "The answer is right.";
  }
  const error = firstError(truth, example.blocks);
  if (!error) return "Every block of this chain is right.";
  const before = error.block === 1 ? example.word : example.blocks[error.block - 2];
  const [d, i] = example.composition[error.block - 1],
    kind = i === 0 ? "an identity" : d === error.block - 1 ? "in its own place" : "displaced";
  return (
    `First error: block ${error.block}, symbol ${error.slot}, at ${functionName([d, i])} (${kind}). ` +
    mistaken(data.tables, example.composition, error.block, before, example.blocks[error.block - 1])
  );
}

/** The subset, its reach, and the chosen cell, in words. */
export function gridVerdict(data, s, k, m) {
  const { mean, size } = overall(data, s),
    value = data.accuracy(s, k, m),
    percent = (v) => (Number.isFinite(v) ? `${(100 * v).toFixed(v > 0.995 && v < 1 ? 1 : 0)} %` : "not measured");
  const all = number((data.L * data.N + 1) ** data.L);
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  return (
    `Trained on ${number(data.trained[s])} compositions (${data.subsets[s]}), the network reaches ${percent(mean)} of ` +
    `${size === (data.L * data.N + 1) ** data.L ? `all ${all}` : `the ${number(size)} in measured cells`}, cells weighted by size. ` +
    `With ${plural(k, "function")} of which ${m} ${m === 1 ? "is" : "are"} displaced: ${percent(value)} of ${number(cellSize(data.L, data.N, k, m))}.`
  );
}
