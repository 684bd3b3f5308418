// A decoder-only transformer (pre-norm, GELU), one token at a time with a cache of keys and values.
// The same network as synthcore.nn.gpt; matrices are (inputs, outputs), row by row.
// Letters: D width, H heads, K head width, V vocabulary, T tokens so far.

/** erf to 1.2e-7 (Numerical Recipes, 6.2). */
export function erf(x) {
  const z = Math.abs(x),
    t = 1 / (1 + 0.5 * z);
  const c = [0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368];
  const poly = c.reduce((sum, a) => sum * t + a, 0);
  const tail = t * Math.exp(-z * z - 1.26551223 + t * poly);
  return x >= 0 ? 1 - tail : tail - 1;
}

const gelu = (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));

/** out = x W + b. */
function linear(x, weight, bias, outputs) {
  const out = bias ? Float64Array.from(bias) : new Float64Array(outputs);
  for (let i = 0; i < x.length; i++) {
    const value = x[i],
      from = i * outputs;
    for (let o = 0; o < outputs; o++) out[o] += value * weight[from + o];
  }
  return out;
}

/** Layer norm, or root-mean-square norm, with gain and (where there is one) shift. */
function normed(x, kind, weight, bias) {
  const D = x.length;
  let mean = 0,
    square = 0;
  if (kind === "layer") for (const v of x) mean += v / D;
  for (const v of x) square += (v - mean) ** 2 / D;
  const factor = 1 / Math.sqrt(square + 1e-5);
  return x.map((v, i) => (v - mean) * factor * weight[i] + (bias ? bias[i] : 0));
}

/** Turn a head's query or key at position t: feature i with feature i + K / 2, base 10000. */
function rotated(x, t) {
  const half = x.length / 2;
  return x.map((v, i) => {
    const angle = t * 10000 ** ((-2 * (i % half)) / x.length),
      other = x[(i + half) % x.length];
    return v * Math.cos(angle) + (i < half ? -1 : 1) * other * Math.sin(angle);
  });
}

/** A network from its weights: { name: { shape, values } }. */
export function makeGpt(weights, { heads, norm, rotary }) {
  const get = (name) => weights[name]?.values,
    [V, D] = weights["embed.weight"].shape,
    K = D / heads;
  let depth = 0;
  while (weights[`blocks.${depth}.attn.qkv.weight`]) depth++;

  /** Attention of one block: adds to the cache, returns what it writes and its weights (H, T). */
  function attend(b, x, cache, t) {
    const name = `blocks.${b}.attn`,
      qkv = linear(x, get(`${name}.qkv.weight`), get(`${name}.qkv.bias`), 3 * D),
      headOutputs = new Float64Array(D),
      pattern = [];
    for (let head = 0; head < heads; head++) {
      let [q, k] = [0, D].map((part) => qkv.subarray(part + head * K, part + (head + 1) * K));
      if (rotary) [q, k] = [rotated(q, t), rotated(k, t)];
      const store = cache[b][head];
      store.keys.push(k);
      store.values.push(qkv.subarray(2 * D + head * K, 2 * D + (head + 1) * K));
      const scores = store.keys.map((key) => {
        let dot = 0;
        for (let i = 0; i < K; i++) dot += q[i] * key[i];
        return dot / Math.sqrt(K);
      });
      const highest = Math.max(...scores),
        shares = scores.map((s) => Math.exp(s - highest)),
        total = shares.reduce((a, c) => a + c, 0);
      pattern.push(shares.map((s) => s / total));
      store.values.forEach((value, s) => {
        const share = shares[s] / total;
        for (let i = 0; i < K; i++) headOutputs[head * K + i] += share * value[i];
      });
    }
    return { out: linear(headOutputs, get(`${name}.out.weight`), get(`${name}.out.bias`), D), pattern };
  }

  /** Logits from the residual stream behind the last block. */
  function read(x) {
    const last = normed(x, norm, get("ln_final.weight"), get("ln_final.bias")),
      head = get("unembed.weight");
    if (head) return linear(last, head, null, V);
    const embedding = get("embed.weight"),
      logits = new Float64Array(V);
    for (let v = 0; v < V; v++) for (let i = 0; i < D; i++) logits[v] += last[i] * embedding[v * D + i];
    return logits;
  }

  /** A fresh sequence, or one that goes on from another's cache. `next(token)` gives
   *  { logits, patterns: [block][head][position], streams: [block] (D), hidden: [block] (MLP) };
   *  `fork()` is a sequence that has seen the same tokens. */
  function sequence(cache, t = 0) {
    cache ??= Array.from({ length: depth }, () => Array.from({ length: heads }, () => ({ keys: [], values: [] })));
    function next(token) {
      const embedding = get("embed.weight"),
        positions = get("pos_embed");
      let x = Float64Array.from({ length: D }, (_, i) => embedding[token * D + i] + (positions ? positions[t * D + i] : 0));
      const patterns = [],
        streams = [],
        hiddens = [];
      const norms = (name) => normed(x, norm, get(`${name}.weight`), get(`${name}.bias`));
      for (let b = 0; b < depth; b++) {
        const { out, pattern } = attend(b, norms(`blocks.${b}.ln1`), cache, t);
        patterns.push(pattern);
        x = x.map((v, i) => v + out[i]);
        const up = get(`blocks.${b}.mlp.up.weight`);
        if (!up) {
          streams.push(x);
          continue;
        }
        const inside = norms(`blocks.${b}.ln2`);
        const hidden = linear(inside, up, get(`blocks.${b}.mlp.up.bias`), up.length / D).map(gelu);
        const back = linear(hidden, get(`blocks.${b}.mlp.down.weight`), get(`blocks.${b}.mlp.down.bias`), D);
        x = x.map((v, i) => v + back[i]);
        streams.push(x);
        hiddens.push(hidden);
      }
      t += 1;
      return { logits: read(x), patterns, streams, hidden: hiddens };
    }
    const fork = () => sequence(cache.map((block) => block.map(({ keys, values }) => ({ keys: [...keys], values: [...values] }))), t);
    return { next, fork };
  }
  return { sequence, read, get, V, D, heads, depth };
}

/** The network that a model's traits hold. */
export function gptOf(model) {
  const view = model.get("weights"),
    half = model.get("half"),
    data = new DataView(view.buffer, view.byteOffset, view.byteLength);
  let at = 0;
  const weights = {};
  for (const [name, shape] of model.get("weight_shapes")) {
    const size = shape.reduce((a, b) => a * b, 1);
    const read = half ? (i) => fromHalf(data.getUint16(2 * (at + i), true)) : (i) => data.getFloat32(4 * (at + i), true);
    weights[name] = { shape, values: Float32Array.from({ length: size }, (_, i) => read(i)) };
    at += size;
  }
  return makeGpt(weights, { heads: model.get("heads"), norm: model.get("norm"), rotary: model.get("rotary") });
}
