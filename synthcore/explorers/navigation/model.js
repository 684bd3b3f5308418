// Exact probabilities of all valid paths at any temperature. Pure functions, no drawing.
// Letters: N nodes, P pairs, K prefixes of a tree, R open prefixes (not complete), V vocabulary.

/** Temperatures of the curves; the slider has one between each two. */
export const TEMPERATURES = Array.from({ length: 31 }, (_, i) => i / 10);
/** Sample sizes of the slider. */
export const SIZES = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000];

/** A tree for computing: `row[k]` is the row of prefix k's logits (V each), -1 if complete; `path[k]`
 *  the nodes from the start to prefix k; `leaves` the complete prefixes. */
export function makeTree({ start, parent, token, complete, logits, vocabulary, first, nodes }) {
  const row = [],
    path = [],
    children = parent.map(() => []),
    leaves = [];
  let rows = 0;
  parent.forEach((above, k) => {
    row.push(complete[k] ? -1 : rows++);
    if (complete[k]) leaves.push(k);
    const node = token[k] - first;
    if (above < 0) path.push([start]);
    else {
      children[above].push(k);
      path.push(node >= 0 && node < nodes ? [...path[above], node] : path[above]);
    }
  });
  return { parent, token, complete, row, path, children, leaves, logits, V: vocabulary };
}

/** All trees of a model: one per pair. */
export function navigationTrees(model) {
  const view = model.get("logits"),
    V = model.get("vocabulary"),
    data = new DataView(view.buffer, view.byteOffset, view.byteLength);
  const pairs = model.get("pairs");
  let offset = 0;
  return pairs.map(([start], p) => {
    const complete = model.get("complete")[p],
      size = complete.filter((c) => !c).length * V;
    const logits = Float64Array.from({ length: size }, (_, i) => fromHalf(data.getUint16(2 * (offset + i), true)));
    offset += size;
    return makeTree({
      start,
      parent: model.get("parents")[p],
      token: model.get("tokens")[p],
      complete,
      logits,
      vocabulary: V,
      first: model.get("first_token"),
      nodes: model.get("names").length,
    });
  });
}

/** At temperature T: `reach[k]` P(answer begins with prefix k), `valid` P(the answer is right), and
 *  `wrong`, the probabilities of leaving the tree, one for each prefix and first wrong token.
 *  T = 0 shares all probability among the largest logits. */
export function atTemperature(tree, T) {
  const { parent, token, row, children, leaves, logits, V } = tree,
    reach = new Float64Array(parent.length),
    next = new Float64Array(V),
    wrong = new Float64Array((parent.length - leaves.length) * V);
  reach[0] = 1;
  for (let k = 0; k < parent.length; k++) {
    if (row[k] < 0) continue;
    const from = row[k] * V;
    if (reach[k] < 1e-12) continue; // below any probability that a picture or 3000 samples could show
    let total = 0;
    for (let v = 0; v < V; v++) total += next[v] = T > 0 ? Math.exp(logits[from + v] / T) : +(logits[from + v] === 0);
    const share = reach[k] / total;
    for (let v = 0; v < V; v++) wrong[from + v] = share * next[v];
    for (const child of children[k]) {
      reach[child] = share * next[token[child]];
      wrong[from + token[child]] = 0;
    }
  }
  let valid = 0;
  for (const leaf of leaves) valid += reach[leaf];
  return { T, reach, valid, wrong };
}

/** Expected number of different outcomes among n samples: sum of 1 - (1 - p)^n. */
export function expectedDistinct(probabilities, n) {
  let sum = 0;
  for (const p of probabilities) {
    if (n * p < 1e-7) sum += n * p;
    else sum += p >= 1 ? 1 : -Math.expm1(n * Math.log1p(-p));
  }
  return sum;
}

/** Everything at every temperature of the curves. */
export function temperatureScan(tree) {
  return TEMPERATURES.map((T) => {
    const now = atTemperature(tree, T);
    // the small ones come in a sum: for n up to 3000 they are found n p times, to 1 in 1000
    return { ...now, paths: tree.leaves.map((leaf) => now.reach[leaf]), wrong: squeeze(now.wrong, 6e-7) };
  });
}

/** Probabilities above `small`, and the sum of the others. */
function squeeze(values, small) {
  const large = [];
  let rest = 0;
  for (const p of values)
    if (p > small) large.push(p);
    else rest += p;
  return { large, rest };
}

/** Accuracy, expected distinct valid paths and distinct outputs among n samples, over T. */
export function temperatureCurves(scan, n) {
  const accuracy = scan.map((now) => now.valid),
    found = scan.map((now) => expectedDistinct(now.paths, n)),
    outputs = scan.map((now, i) => found[i] + expectedDistinct(now.wrong.large, n) + n * now.wrong.rest);
  let best = 0;
  found.forEach((v, i) => {
    if (v > found[best] + 1e-9) best = i;
  });
  return { accuracy, found, outputs, best };
}

/** P(a sample is right and uses this edge), by "i-j", and P(the walk goes wrong at this node). */
export function bundles(tree, now) {
  const edge = new Map(),
    lost = new Map(),
    { V } = tree;
  for (const leaf of tree.leaves) {
    const path = tree.path[leaf];
    for (let i = 1; i < path.length; i++) {
      const key = `${path[i - 1]}-${path[i]}`;
      edge.set(key, (edge.get(key) ?? 0) + now.reach[leaf]);
    }
  }
  tree.row.forEach((row, k) => {
    if (row < 0) return;
    let sum = 0;
    for (let v = 0; v < V; v++) sum += now.wrong[row * V + v];
    const node = tree.path[k][tree.path[k].length - 1];
    lost.set(node, (lost.get(node) ?? 0) + sum);
  });
  return { edge, lost };
}

const percent = (p) => (p > 0.995 && p < 1 ? "over 99 %" : p > 0 && p < 0.005 ? "under 1 %" : `${Math.round(100 * p)} %`);
const count = (v) => (v < 9.95 ? v.toFixed(1) : v.toFixed(v < 99.5 ? 1 : 0));

/** What the temperature does for this pair, in words. */
export function navigationVerdict(curves, now, found, n, paths, named) {
  const { best } = curves,
    last = TEMPERATURES.length - 1,
    top = curves.found[best];
  const here =
    `${named} at T = ${now.T.toFixed(2)}: ${percent(now.valid)} of the samples are right, and ${count(found)} of the ` +
    `${paths} true paths are expected among ${n} ${n === 1 ? "sample" : "samples"}.`;
  const inside = best > 0 && best < last && top >= 1.2 * Math.max(curves.found[0], curves.found[last]);
  if (!inside) return `${here} Most are found at T = ${TEMPERATURES[best].toFixed(2)} (${count(top)}); here no middle temperature is much better than both ends.`;
  return (
    `${here} Most are found in the middle, at T = ${TEMPERATURES[best].toFixed(2)} (${count(top)}): colder, the same few ` +
    `paths come again and again (${count(curves.found[0])} at T = 0); hotter, wrong steps eat the samples ` +
    `(${percent(curves.accuracy[last])} right at T = 3).`
  );
}
