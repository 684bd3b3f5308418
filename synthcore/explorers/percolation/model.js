// Percolation of a bipartite graph in classes, pair by pair. Pure functions, no drawing.
// Letters: E entities, K properties, C classes, n mentions after which a pair counts.

export const ENTITIES = [16, 32, 64, 128, 256];
export const PROPERTIES = [32, 64, 128, 256, 512, 1024];

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The possible pairs of one world: [entity, property, entity, property, ...]. */
export function possiblePairs({ E, K, C, density, seed }) {
  const random = uniform(seed),
    pairs = [];
  for (let e = 0; e < E; e++) {
    const first = Math.floor((e * C) / E) * (K / C);
    for (let k = first; k < first + K / C; k++) if (random() < density) pairs.push(e, k);
  }
  return Int32Array.from(pairs);
}

/** Mentions of random pairs; calls `count(entity, property)` when a pair is mentioned the n-th
 *  time, and `at(i)` when `stops[i]` mentions have been made. */
export function mention(pairs, { n, seed }, stops, count, at) {
  const random = uniform(seed ^ 0x9e3779b9),
    total = pairs.length / 2,
    times = new Uint32Array(total);
  let done = 0;
  stops.forEach((stop, i) => {
    for (; done < stop && total > 0; done++) {
      const pair = Math.floor(random() * total);
      times[pair] += 1;
      if (times[pair] === n) count(pairs[2 * pair], pairs[2 * pair + 1]);
    }
    at(i);
  });
}

/** Components of E + K nodes, and the number of pairs (entity, property) within components. */
export function unions(E, K) {
  const parent = Int32Array.from({ length: E + K }, (_, i) => i),
    entities = new Float64Array(E + K).fill(1, 0, E),
    properties = new Float64Array(E + K).fill(1, E);
  const find = (i) => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  };
  const graph = { find, entities, properties, joined: 0 };
  graph.join = (e, k) => {
    let a = find(e),
      b = find(E + k);
    if (a === b) return;
    if (entities[a] + properties[a] < entities[b] + properties[b]) [a, b] = [b, a];
    graph.joined += entities[a] * properties[b] + entities[b] * properties[a];
    parent[b] = a;
    entities[a] += entities[b];
    properties[a] += properties[b];
  };
  return graph;
}

/** Share of same-class pairs that are joined after each of `stops` mentions. */
export function growth(world, stops) {
  const { E, K, C } = world,
    graph = unions(E, K),
    shares = [];
  mention(possiblePairs(world), world, stops, graph.join, () => shares.push((graph.joined * C) / (E * K)));
  return shares;
}

/** The graph after `mentions`: counted pairs and the component of every node. */
export function snapshot(world, mentions) {
  const { E, K } = world,
    graph = unions(E, K),
    counted = [];
  const count = (e, k) => {
    counted.push([e, k]);
    graph.join(e, k);
  };
  mention(possiblePairs(world), world, [Math.round(mentions)], count, () => {});
  return { counted, label: Array.from({ length: E + K }, (_, i) => graph.find(i)), joined: graph.joined };
}

/** P(Poisson(x) >= n). */
export function atLeast(n, x) {
  let term = Math.exp(-x),
    below = 0;
  for (let i = 0; i < n; i++) {
    below += term;
    term *= x / (i + 1);
  }
  return Math.max(1 - below, 0);
}

/** Shares of entities and properties in the giant component at edge probability q. */
export function giant(q, E, K) {
  if (q * q * E * K <= 1) return [0, 0];
  const inE = (s) => -Math.expm1(-q * K * s);
  let low = 1e-12,
    high = 1;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (-Math.expm1(-q * E * inE(middle)) > middle) low = middle;
    else high = middle;
  }
  return [inE(low), low];
}

/** Probability that a same-class pair counts after that many mentions. */
export function edgeProbability({ E, K, C, density, n }, mentions) {
  return density * atLeast(n, mentions / ((density * E * K) / C));
}

/** Expected share of same-class pairs that are joined, large graphs. */
export function joinedInTheory(world, mentions) {
  const [a, b] = giant(edgeProbability(world, mentions), world.E / world.C, world.K / world.C);
  return a * b;
}

/** Mentions at which the classes percolate; NaN if there are too few possible pairs. */
export function criticalMentions(world) {
  const { E, K, C, density } = world,
    needed = C / Math.sqrt(E * K);
  if (needed >= density) return NaN;
  let low = 0,
    high = (density * E * K * 50) / C;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (edgeProbability(world, middle) < needed) low = middle;
    else high = middle;
  }
  return low;
}

/** Numbers of mentions at which curves are looked at, evenly spaced in the logarithm. */
export function mentionGrid({ E, K, C, density }, points = 60) {
  const first = 0.2 * Math.sqrt(E * K),
    last = Math.max((6 * density * E * K) / C, 4 * first);
  return Array.from({ length: points }, (_, i) => Math.round(first * (last / first) ** (i / (points - 1))));
}

/** Nodes in the order in which they are drawn: class by class, large components first. */
export function sorted({ E, K, C }, label) {
  const size = new Map();
  label.forEach((l) => size.set(l, (size.get(l) ?? 0) + 1));
  const order = (first, count) =>
    Array.from({ length: count }, (_, i) => i).sort((a, b) => {
      const byClass = Math.floor((a * C) / count) - Math.floor((b * C) / count),
        [p, q] = [label[first + a], label[first + b]];
      return byClass || size.get(q) - size.get(p) || p - q || a - b;
    });
  return { entities: order(0, E), properties: order(E, K) };
}

/** What the reader sees, in words. */
export function percolationWords(world, mentions, share) {
  const critical = criticalMentions(world),
    pairs = world.E * world.K,
    rule = world.n === 1 ? "" : `, each counted from its ${world.n === 2 ? "second" : "third"} mention on`;
  const seen = `After ${number(Math.round(mentions))} mentions${rule}, ${percentOf(share)} of the same-class pairs are joined by a path.`;
  if (!Number.isFinite(critical))
    return `${seen} There are too few possible pairs: even when all of them are known, each class stays in pieces.`;
  const at = `Theory puts the threshold at ${number(Math.round(critical))} mentions, ${percentOf(critical / pairs)} of the ${number(pairs)} pairs`;
  const root = world.n === 1 ? `: about √(|E||K|) = ${number(Math.round(Math.sqrt(pairs)))}.` : ".";
  return `${seen} ${at}${root}`;
}

function percentOf(share) {
  const value = 100 * share;
  return value > 0 && value < 1 ? `${value.toPrecision(1)} %` : `${Math.round(value)} %`;
}
