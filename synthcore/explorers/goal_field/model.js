// The rule next = argmax_x S1[g, x] + S2[c, x] and what it can be held against. No drawing.
// Letters: N nodes; g goal, c current node, x candidate. Matrices are flat, row by row.

/** Everything the drawings need: scores, edges, distances and where the rule leads. */
export function fieldData(model) {
  const edges = model.get("edges"),
    coordinates = floats(model.get("coordinates"));
  return makeField(floats(model.get("goal_scores")), floats(model.get("step_scores")), edges, coordinates);
}

export function makeField(S1, S2, edges, coordinates) {
  const N = Math.round(Math.sqrt(S1.length)),
    adjacent = new Uint8Array(N * N);
  for (const [i, j] of edges) adjacent[i * N + j] = 1;
  const field = { N, S1, S2, edges, coordinates, adjacent, distance: distances(edges, N) };
  field.choice = Int32Array.from({ length: N * N }, (_, i) => bestNext(field, Math.floor(i / N), i % N));
  return field;
}

/** Edges on the shortest way x -> g at [x * N + g]; -1 where there is none. Breadth first from g. */
export function distances(edges, N) {
  const before = Array.from({ length: N }, () => []);
  for (const [i, j] of edges) before[j].push(i);
  const out = new Int32Array(N * N).fill(-1);
  for (let g = 0; g < N; g++) {
    out[g * N + g] = 0;
    for (const queue = [g]; queue.length; ) {
      const x = queue.shift();
      for (const w of before[x])
        if (out[w * N + g] < 0) {
          out[w * N + g] = out[x * N + g] + 1;
          queue.push(w);
        }
    }
  }
  return out;
}

/** argmax_x S1[g, x] + S2[c, x]; the first of equals. */
export function bestNext({ N, S1, S2 }, g, c) {
  let best = 0;
  for (let x = 1; x < N; x++) if (S1[g * N + x] + S2[c * N + x] > S1[g * N + best] + S2[c * N + best]) best = x;
  return best;
}

/** The walk from start towards g: { nodes, end } with end "arrived" or "off" (its last step is no edge). */
export function walk({ N, adjacent, choice }, g, start) {
  const nodes = [start];
  let c = start;
  while (c !== g) {
    const x = choice[g * N + c];
    nodes.push(x);
    if (!adjacent[c * N + x]) return { nodes, end: "off" };
    c = x;
  }
  return { nodes, end: "arrived" };
}

/** The highest candidates at c: { x, goal, step, sum, edge, distance }. */
export function candidates({ N, S1, S2, adjacent, distance }, g, c, count) {
  const all = Array.from({ length: N }, (_, x) => ({
    x,
    goal: S1[g * N + x],
    step: S2[c * N + x],
    sum: S1[g * N + x] + S2[c * N + x],
    edge: adjacent[c * N + x] === 1,
    distance: distance[x * N + g],
  }));
  return all.sort((a, b) => b.sum - a.sum || a.x - b.x).slice(0, count);
}

/** Starts that can reach g, and those of them from which the rule arrives. */
export function arrivals(field, g) {
  const able = [];
  for (let x = 0; x < field.N; x++) if (field.distance[x * field.N + g] > 0) able.push(x);
  return { able, arrived: able.filter((x) => walk(field, g, x).end === "arrived") };
}

/** Ranks from 0, equals share their mean. */
function ranks(values) {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]),
    out = [];
  for (let i = 0; i < order.length; ) {
    let j = i;
    while (j < order.length && values[order[j]] === values[order[i]]) j++;
    for (let k = i; k < j; k++) out[order[k]] = (i + j - 1) / 2;
    i = j;
  }
  return out;
}

/** Spearman's correlation; NaN if one side is constant. */
export function spearman(a, b) {
  const [p, q] = [ranks(a), ranks(b)],
    mean = (a.length - 1) / 2;
  let pq = 0,
    pp = 0,
    qq = 0;
  p.forEach((v, i) => {
    pq += (v - mean) * (q[i] - mean);
    pp += (v - mean) ** 2;
    qq += (q[i] - mean) ** 2;
  });
  return pq / Math.sqrt(pp * qq);
}

/** Correlation of S1[g, x] with minus the distance x -> g, over the nodes x that can reach g. */
export function goalCorrelation(field, g) {
  const { able } = arrivals(field, g);
  return spearman(
    able.map((x) => field.S1[g * field.N + x]),
    able.map((x) => -field.distance[x * field.N + g]),
  );
}

/** The goal that most starts reach by the rule, and (for a goal) the start with the longest such walk. */
export function easiestGoal(field) {
  let best = 0,
    most = -1;
  for (let g = 0; g < field.N; g++) {
    const { able, arrived } = arrivals(field, g);
    const score = arrived.length + able.length / (field.N + 1);
    if (score > most) [best, most] = [g, score];
  }
  return best;
}
export function longestStart(field, g) {
  const { able, arrived } = arrivals(field, g),
    from = arrived.length ? arrived : able;
  return from.reduce((best, x) => (walk(field, g, x).nodes.length > walk(field, g, best).nodes.length ? x : best), from[0]);
}

/** What the walk does, in words. */
export function fieldVerdict(field, g, start, steps) {
  const { nodes, end } = walk(field, g, start),
    { able, arrived } = arrivals(field, g),
    taken = nodes.length - 1,
    shortest = field.distance[start * field.N + g];
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  let here;
  if (steps < taken) {
    const top = candidates(field, g, nodes[steps], 1)[0];
    here =
      `From ${start} towards ${g}, at node ${nodes[steps]} after ${plural(steps, "step")}: the highest sum belongs to ` +
      `${top.x} (${scoreText(top.goal)} for the goal, ${scoreText(top.step)} for the step), ${top.edge ? "and that edge exists" : "but there is no such edge"}.`;
  } else if (end === "arrived")
    here =
      `From ${start} towards ${g}: the walk arrives after ${plural(taken, "step")}, all of them edges ` +
      `(the shortest way has ${shortest}).`;
  else
    here =
      `From ${start} towards ${g}: step ${taken} goes from ${nodes[taken - 1]} to ${nodes[taken]}, where there is no edge. ` +
      `The walk has left the graph.`;
  const rho = goalCorrelation(field, g);
  const law = Number.isFinite(rho) ? ` Goal score against nearness: Spearman ${rho.toFixed(2).replace("-", "−")}.` : "";
  return `${here} The rule arrives from ${arrived.length} of the ${plural(able.length, "node")} that can reach ${g}.${law}`;
}

/** 1.23, −0.04 */
export function scoreText(v) {
  return v.toFixed(2).replace("-", "−");
}
