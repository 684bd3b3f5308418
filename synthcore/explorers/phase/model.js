// The phase explorer's data and words, without drawing.
// Letters: N diversities, S steps, C contexts, A = 4 algorithms.

const toLinear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const toGamma = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);

/** Mean of "#rrggbb" colours under weights, mixed as light. */
export function blend(weights, colours) {
  const channel = (i) => {
    const mixed = colours.reduce(
      (sum, colour, a) =>
        sum + Math.max(weights[a], 0) * toLinear(parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16) / 255),
      0,
    );
    return Math.round(255 * toGamma(Math.min(mixed, 1)));
  };
  return `rgb(${channel(0)}, ${channel(1)}, ${channel(2)})`;
}

/** Index of the largest weight, or -1 where nothing was fitted. */
export function leader(weights) {
  return weights.some(Number.isNaN) ? -1 : weights.indexOf(Math.max(...weights));
}

/** Connected regions of equal value in a grid of rows: [{value, cells: [[row, column], ...]}]. */
export function regions(grid) {
  const seen = grid.map((row) => row.map(() => false));
  const found = [];
  grid.forEach((row, r0) =>
    row.forEach((value, c0) => {
      if (seen[r0][c0]) return;
      seen[r0][c0] = true;
      const cells = [],
        open = [[r0, c0]];
      while (open.length) {
        const [r, c] = open.pop();
        cells.push([r, c]);
        for (const [y, x] of [
          [r + 1, c],
          [r - 1, c],
          [r, c + 1],
          [r, c - 1],
        ]) {
          if (grid[y]?.[x] === value && !seen[y][x]) {
            seen[y][x] = true;
            open.push([y, x]);
          }
        }
      }
      found.push({ value, cells });
    }),
  );
  return found;
}

/** Read the synced arrays of a model once, with accessors by index. */
export function phaseData(model) {
  const floats = (name) => {
    const view = model.get(name);
    return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  };
  const diversities = model.get("diversities"),
    steps = model.get("steps"),
    contexts = model.get("contexts");
  const N = diversities.length,
    S = steps.length,
    C = contexts.length;
  const weights = floats("weights"),
    kl = floats("kl"),
    half = floats("halfwidths");
  const references = floats("references");
  const at = (set, n, s, c) => ((set * N + n) * S + s) * C + c;
  return {
    diversities,
    steps,
    contexts,
    weights: (n, s, c) => Array.from(weights.subarray(4 * at(0, n, s, c), 4 * at(0, n, s, c) + 4)),
    kl: (set, n, s, c) => kl[at(set, n, s, c)], // set: 0 ID, 1 OOD
    half: (set, n, s, c) => (half.length ? half[at(set, n, s, c)] : NaN),
    references: model.get("reference_names").map((name, r) => ({
      ...ALGORITHMS.find((algorithm) => algorithm.name === name),
      kl: (set, n, c) => references[((r * 2 + set) * N + n) * C + c],
    })),
    highest: [...kl, ...references].reduce((a, b) => (b > a ? b : a), 0.1),
  };
}

/** Where the network stands between the two counters on unseen chains, in words. */
export function transfer(network, symbols, bigrams) {
  if (![network, symbols, bigrams].every(Number.isFinite) || symbols - bigrams < 0.02) return "";
  const score = (network - bigrams) / (symbols - bigrams); // 1: Uni-Inf level, 0: Bi-Inf level
  if (score > 1.15) return "On unseen chains that is worse than counting symbols.";
  if (score > 0.7) return "On unseen chains that is no better than counting symbols.";
  if (score > 0.3) return "On unseen chains that is between counting symbols and counting bigrams.";
  return "On unseen chains that is about as good as counting bigrams.";
}

/** One sentence on the cell under the cursor, and one on what it means for unseen chains. */
export function verdict(data, [n, s, c], number) {
  const length = data.contexts[c];
  const place =
    `At N = ${number(data.diversities[n])}, step ${number(data.steps[s])}, ` +
    `${number(length)} symbol${length === 1 ? "" : "s"} of context, `;
  const weights = data.weights(n, s, c),
    a = leader(weights);
  const nats = (v) => (Number.isFinite(v) ? `${v.toFixed(v < 0.0995 ? 3 : 2)} nats` : "not recorded");
  const errors = `OOD KL ${nats(data.kl(1, n, s, c))}, ID KL ${nats(data.kl(0, n, s, c))}.`;
  if (a < 0) return `${place}no mixture was fitted; ${errors}`;
  const share = `${Math.round(100 * weights[a])} %`;
  const how = weights[a] >= 0.9 ? "almost only" : weights[a] >= 0.5 ? "mostly" : "a mixture, led by";
  const level = (name) => data.references.find((r) => r.name === name)?.kl(1, n, c) ?? NaN;
  const meaning = transfer(data.kl(1, n, s, c), level("Uni-Inf"), level("Bi-Inf"));
  return `${place}the network is ${how} ${ALGORITHMS[a].does} (${ALGORITHMS[a].name}, ${share}); ${errors} ${meaning}`.trim();
}
