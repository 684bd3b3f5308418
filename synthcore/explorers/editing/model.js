// ROME on a small transformer, in the page: keys, the value search, a rank-one change of the last
// block's MLP, and what it does to every prompt `x r`.
// Letters: N entities, R relations, D width, K hidden width, V vocabulary.

export const ORDER_NAMES = ["I", "II", "III"];
const SEARCH = { rate: 0.5, steps: 20, kl: 0.0625, decay: 0.5, clip: 4, stop: 0.05 };
const CONTEXTS = [0, 3, 5, 9, 14, 18]; // relations of the facts that stand before the one that is written

/** Everything about the network and its world that does not change. Prompt (r, x) is row r N + x. */
export function editingWorld(model) {
  const gpt = gptOf(model),
    table = model.get("table"),
    circles = model.get("circles"),
    R = table.length,
    N = table[0].length,
    places = circles.map((circle) => circle.reduce((at, x, i) => ((at[x] = i), at), [])),
    names = model.get("names"),
    last = gpt.depth - 1,
    K = gpt.get(`blocks.${last}.mlp.down.weight`).length / gpt.D,
    streams = new Float64Array(R * N * gpt.D),
    keys = new Float64Array(R * N * K);
  for (let x = 0; x < N; x++) {
    const entity = gpt.sequence();
    entity.next(x);
    for (let r = 0; r < R; r++) {
      const now = entity.fork().next(N + r);
      streams.set(now.streams[last], (r * N + x) * gpt.D);
      keys.set(now.hidden[last], (r * N + x) * K);
    }
  }
  const world = {
    gpt,
    table,
    circles,
    places,
    names,
    last,
    N,
    R,
    D: gpt.D,
    K,
    V: gpt.V,
    each: R / circles.length,
    held: model.get("held"),
    inverse: unpacked(model.get("inverse"), K * K),
    back: backOf(names),
    streams,
    keys,
    reader: makeReader(gpt),
  };
  world.before = answersAt(world, null, 0);
  world.known = world.before.map((answer, row) => answer === table[Math.floor(row / N)][row % N]);
  return world;
}

function unpacked(view, count) {
  const data = new DataView(view.buffer, view.byteOffset, view.byteLength);
  return Float64Array.from({ length: count }, (_, i) => data.getFloat32(4 * i, true));
}

/** The number of every relation's way back: C and A exchanged. */
function backOf(names) {
  const turned = { C: "A", A: "C" };
  return names.map((name) => names.indexOf(name.replace(/_([CA])/, (_, way) => `_${turned[way]}`)));
}

/** The last norm and head as plain loops, with the gradient of a weighted log-likelihood. */
function makeReader(gpt) {
  const { D, V, get } = gpt,
    gain = get("ln_final.weight"),
    shift = get("ln_final.bias"),
    head = get("unembed.weight");
  const unit = new Float64Array(D),
    logits = new Float64Array(V);
  let spread = 1;
  /** Fills `logits` for a stream; returns it. */
  function read(x, from = 0) {
    let mean = 0,
      square = 0;
    for (let i = 0; i < D; i++) mean += x[from + i] / D;
    for (let i = 0; i < D; i++) square += (x[from + i] - mean) ** 2 / D;
    spread = Math.sqrt(square + 1e-5);
    logits.fill(0);
    for (let i = 0; i < D; i++) {
      unit[i] = (x[from + i] - mean) / spread;
      const value = unit[i] * gain[i] + (shift ? shift[i] : 0),
        row = i * V;
      for (let v = 0; v < V; v++) logits[v] += value * head[row + v];
    }
    return logits;
  }
  /** Gradient with respect to the stream last read, from the gradient of the logits. */
  function back(slope) {
    const grad = new Float64Array(D);
    let mean = 0,
      along = 0;
    for (let i = 0; i < D; i++) {
      const row = i * V;
      let sum = 0;
      for (let v = 0; v < V; v++) sum += head[row + v] * slope[v];
      grad[i] = sum * gain[i];
      mean += grad[i] / D;
      along += (grad[i] * unit[i]) / D;
    }
    return grad.map((g, i) => (g - mean - along * unit[i]) / spread);
  }
  return { read, back };
}

/** Probabilities of logits, and the logarithm of their sum of exponentials. */
function softened(logits) {
  let highest = -Infinity,
    total = 0;
  for (const v of logits) highest = Math.max(highest, v);
  const out = Float64Array.from(logits, (v) => Math.exp(v - highest));
  for (const v of out) total += v;
  for (let i = 0; i < out.length; i++) out[i] /= total;
  return { probabilities: out, log: highest + Math.log(total) };
}

/** Prompts of a fact: bare, and behind one fact that leads to x (relations `wanted`, if trained). */
export function promptsOf(world, x, r, wanted) {
  const { N, R, table, back, held } = world,
    prompts = [[x, N + r]];
  for (const first of wanted.filter((relation) => relation < R)) {
    const origin = table[back[first]][x];
    if (!held[first][origin] && !(origin === x && first === r)) prompts.push([origin, N + first, x, N + r]);
  }
  return prompts;
}

/** The change that writes `target` behind `x r`: { left (K), delta (D), loss, steps, clipped }. */
export function writeFact(world, x, r, target, wanted = CONTEXTS) {
  const { gpt, last, D, K, V, reader } = world;
  const ends = promptsOf(world, x, r, wanted).map((tokens) => {
    const line = gpt.sequence();
    let now;
    for (const token of tokens) now = line.next(token);
    return now;
  });
  const essence = gpt.sequence().next(x).streams[last];
  const output = gpt.get(`blocks.${last}.mlp.down.weight`),
    bias = gpt.get(`blocks.${last}.mlp.down.bias`);
  const start = linear(ends[0].hidden[last], output, bias, D);
  const found = searchValue(
    reader,
    ends.map((end) => end.streams[last]),
    essence,
    target,
    Math.hypot(...start),
    V,
  );
  const mean = new Float64Array(K);
  for (const end of ends) end.hidden[last].forEach((v, i) => (mean[i] += v / ends.length));
  const direction = new Float64Array(K);
  for (let i = 0; i < K; i++) for (let j = 0; j < K; j++) direction[i] += world.inverse[i * K + j] * mean[j];
  let overlap = 0;
  ends[0].hidden[last].forEach((v, i) => (overlap += v * direction[i]));
  return { ...found, left: direction.map((v) => v / overlap) };
}

/** Adam on delta, as the Python editor does it. */
function searchValue(reader, streams, essence, target, startNorm, V) {
  const { rate, steps, kl, decay, clip, stop } = SEARCH,
    D = essence.length,
    moved = new Float64Array(D),
    add = (x, delta) => {
      for (let i = 0; i < D; i++) moved[i] = x[i] + delta[i];
      return moved;
    };
  const delta = new Float64Array(D),
    first = new Float64Array(D),
    second = new Float64Array(D);
  const base = softened(reader.read(essence)),
    original = base.probabilities.map(Math.log);
  let loss = 0,
    step = 0;
  for (; ; step++) {
    const grad = new Float64Array(D),
      size = Math.hypot(...delta);
    let likelihood = 0;
    for (const stream of streams) {
      const logits = reader.read(add(stream, delta)),
        own = logits[target],
        { probabilities, log } = softened(logits);
      likelihood += (own - log) / streams.length;
      const slope = probabilities.map((p) => p / streams.length);
      slope[target] -= 1 / streams.length;
      reader.back(slope).forEach((g, i) => (grad[i] += g));
    }
    const now = softened(reader.read(add(essence, delta))).probabilities;
    let divergence = 0;
    for (let v = 0; v < V; v++) divergence += now[v] * (Math.log(now[v]) - original[v]);
    const slope = now.map((p, v) => kl * p * (Math.log(p) - original[v] - divergence));
    reader.back(slope).forEach((g, i) => (grad[i] += g));
    loss = -likelihood + kl * divergence + (decay * size) / startNorm ** 2;
    if (size > 0) for (let i = 0; i < D; i++) grad[i] += (decay * delta[i]) / size / startNorm ** 2;
    if (loss < stop || step === steps - 1) break;
    for (let i = 0; i < D; i++) {
      first[i] = 0.9 * first[i] + 0.1 * grad[i];
      second[i] = 0.999 * second[i] + 0.001 * grad[i] ** 2;
      const a = first[i] / (1 - 0.9 ** (step + 1)),
        b = second[i] / (1 - 0.999 ** (step + 1));
      delta[i] -= (rate * a) / (Math.sqrt(b) + 1e-8);
    }
    const norm = Math.hypot(...delta);
    if (norm > clip * startNorm) for (let i = 0; i < D; i++) delta[i] *= (clip * startNorm) / norm;
  }
  return { delta, loss, steps: step, clipped: Math.hypot(...delta) >= 0.999 * clip * startNorm };
}

/** alpha of every prompt (R N): what the change moves it by, in units of delta. */
export function overlapsOf(world, left) {
  const { keys, K } = world,
    out = new Float64Array(keys.length / K);
  for (let row = 0; row < out.length; row++) {
    let sum = 0;
    for (let i = 0, at = row * K; i < K; i++) sum += keys[at + i] * left[i];
    out[row] = sum;
  }
  return out;
}

/** The most likely token behind every prompt when the change is made at `strength`; rows optional. */
export function answersAt(world, change, strength, rows = null) {
  const { streams, D, V, reader } = world,
    count = streams.length / D,
    alpha = change?.alpha,
    x = new Float64Array(D);
  const answer = (row) => {
    for (let i = 0; i < D; i++) x[i] = streams[row * D + i] + (alpha ? strength * alpha[row] * change.delta[i] : 0);
    const logits = reader.read(x);
    let best = 0;
    for (let v = 1; v < V; v++) if (logits[v] > logits[best]) best = v;
    return best;
  };
  return rows ? rows.map(answer) : Int32Array.from({ length: count }, (_, row) => answer(row));
}

/** Probabilities behind one prompt. */
export function probabilitiesAt(world, change, strength, row) {
  const { streams, D, reader } = world,
    x = Float64Array.from({ length: D }, (_, i) => streams[row * D + i] + (change ? strength * change.alpha[row] * change.delta[i] : 0));
  return softened(reader.read(x)).probabilities;
}

/** R, inflation and shape of one relation's cloud, from the exact formula
 *  |h_i - h_j + t (alpha_i - alpha_j) delta|. */
export function shatteringOf(world, change, strength, r) {
  const { streams, D, N } = world,
    { alpha, delta } = change,
    at = r * N;
  let square = 0,
    inner = 0,
    after = 0,
    size = 0;
  for (let k = 0; k < D; k++) size += delta[k] ** 2;
  const along = new Float64Array(N);
  for (let i = 0; i < N; i++) for (let k = 0; k < D; k++) along[i] += streams[(at + i) * D + k] * delta[k];
  for (let i = 0; i < N; i++)
    for (let j = i + 1; j < N; j++) {
      let d = 0;
      for (let k = 0; k < D; k++) d += (streams[(at + i) * D + k] - streams[(at + j) * D + k]) ** 2;
      const moved = strength * (alpha[at + i] - alpha[at + j]),
        e = Math.max(d + 2 * moved * (along[i] - along[j]) + moved ** 2 * size, 0);
      square += d;
      after += e;
      inner += Math.sqrt(d * e);
    }
  const s = inner / square,
    whole = (after - 2 * inner + square) / square;
  return { R: Math.sqrt(Math.max(whole, 0)), inflation: Math.abs(s - 1), shape: Math.sqrt(Math.max(whole - (s - 1) ** 2, 0)) };
}

/** Share of the facts of one order that are right among those right before; the edited fact and its
 *  way back do not count. */
export function keptOf(world, answers, order, x, r) {
  const { N, table, known, back, each } = world,
    end = table[r][x];
  let kept = 0,
    counted = 0;
  for (let row = order * each * N; row < (order + 1) * each * N; row++) {
    const rr = Math.floor(row / N),
      xx = row % N;
    if (!known[row] || (rr === r && xx === x) || (rr === back[r] && xx === end)) continue;
    counted += 1;
    if (answers[row] === table[rr][xx]) kept += 1;
  }
  return { kept, counted, share: counted ? kept / counted : NaN };
}
