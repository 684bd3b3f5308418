// Accuracies, answers and examples after deleting neurons. Pure functions, no drawing.
// Letters: C conditions, K numbers of deleted neurons, N counts, D of the controls.

/** Read the synced arrays once, with accessors by index. */
export function unwrapData(model) {
  const floats = (name) => {
    const view = model.get(name);
    return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  };
  const conditions = model.get("conditions"),
    deleted = model.get("deleted"),
    truth = model.get("truth"),
    [C, K, N] = [conditions.length, deleted.length, truth.length],
    curves = floats("curves"),
    counts = floats("counts"),
    control = floats("control"),
    at = model.get("control_at"),
    row = (values, from, size) => Array.from(values.subarray(from, from + size));
  return {
    conditions,
    deleted,
    truth,
    windows: model.get("windows"),
    said: model.get("said"),
    old: (c) => row(curves, c * K, K),
    new: (c) => row(curves, (C + c) * K, K),
    counts: (c, k) => row(counts, (c * K + k) * N, N),
    control: (c) => at.map((n, i) => [n, control[c * at.length + i]]).filter(([, v]) => Number.isFinite(v)),
  };
}

/** "right", "more" (one too many: the wrapper) or "other". */
export function judgeCount(window, said) {
  const truth = [...window].filter((letter) => letter === "a").length;
  return said === truth ? "right" : said === truth + 1 ? "more" : "other";
}

/** How many of the examples are right, one too many, and something else. */
export function judged(data, c, k) {
  const found = { right: 0, more: 0, other: 0 };
  data.windows.forEach((window, e) => (found[judgeCount(window, data.said[c][k][e])] += 1));
  return found;
}

/** Entropy of shares, in bits; what is missing to one counts as one more answer. */
export function entropyBits(shares) {
  const rest = Math.max(0, 1 - shares.reduce((a, b) => a + b, 0));
  return [...shares, rest].reduce((sum, p) => (p > 0 ? sum - p * Math.log2(p) : sum), 0);
}

/** What is shown, in words. */
export function unwrapVerdict(data, c, k) {
  const percent = (v) => `${Math.round(100 * v)} %`,
    n = data.deleted[k],
    { right, more } = judged(data, c, k),
    whole = data.windows.length;
  const gone = n === 0 ? "With all neurons" : `Without ${n} neuron${n === 1 ? "" : "s"}`;
  return (
    `${data.conditions[c]}. ${gone} the network is right in ${percent(data.old(c)[k])} of prompts for a, and in ` +
    `${percent(data.new(c)[k])} of prompts for b where the shortcut holds. Of ${whole} examples ${right} ${right === 1 ? "is" : "are"} right and ` +
    `${more} one too many. The answers carry ${entropyBits(data.counts(c, k)).toFixed(1)} bits; the right ones ${entropyBits(data.truth).toFixed(1)}.`
  );
}
