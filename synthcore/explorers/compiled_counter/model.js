// A compiled transformer: three blocks of one head and a ReLU MLP, no norm, no causal mask.
// Letters: T places, D residual width, K head width, H hidden units, O outputs.

export const READ = 2; // the answer stands at the second letter

/** rows x W + b for every row. */
function affine(rows, weight, bias) {
  const outputs = bias.length;
  return rows.map((row) => {
    const out = Float64Array.from(bias);
    row.forEach((value, i) => {
      if (value !== 0) for (let o = 0; o < outputs; o++) out[o] += value * weight[i * outputs + o];
    });
    return out;
  });
}

const plus = (a, b) => a.map((row, t) => row.map((v, i) => v + b[t][i]));

/** Attention weights of queries over keys; places where `hidden` is true are not looked at. */
function attend(queries, keys, hidden) {
  return queries.map((q) => {
    const scores = keys.map((k, t) => (hidden[t] ? -Infinity : q.reduce((sum, v, i) => sum + v * k[i], 0))),
      highest = Math.max(...scores),
      shares = scores.map((s) => Math.exp(s - highest)),
      total = shares.reduce((a, b) => a + b, 0);
    return shares.map((s) => s / total);
  });
}

/** What network number n makes of tokens: { patterns: [block][query][key], out: [place][value] }. */
export function compiledForward(data, n, tokens) {
  const get = (name) => data.weights[n][name],
    D = data.D,
    hidden = tokens.map((t) => t === data.alphabet.length + 1);
  let x = tokens.map((token, t) =>
    Float64Array.from({ length: D }, (_, i) => get("embed.weight")[token * D + i] + get("pos_embed")[t * D + i]),
  );
  const patterns = [];
  for (let b = 0; b < 3; b++) {
    const part = (name, rows) => affine(rows, get(`blocks.${b}.${name}.weight`), get(`blocks.${b}.${name}.bias`));
    const pattern = attend(part("attn.q", x), part("attn.k", x), hidden),
      values = part("attn.v", x);
    patterns.push(pattern);
    const mixed = pattern.map((row) => {
      const out = new Float64Array(values[0].length);
      row.forEach((share, t) => {
        if (share > 0) values[t].forEach((v, i) => (out[i] += share * v));
      });
      return out;
    });
    x = plus(x, part("attn.out", mixed));
    x = plus(x, part("down", part("up", x).map((row) => row.map((v) => Math.max(v, 0)))));
  }
  const [from, size] = data.out;
  return { patterns, out: x.map((row) => Array.from(row.slice(from, from + size))) };
}

/** The place of the largest value; the first of equals. */
export const argmax = (values) => values.reduce((best, v, i) => (v > values[best] ? i : best), 0);

/** The synced traits, read once. */
export function counterData(model) {
  const view = model.get("weights"),
    flat = new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)),
    shapes = model.get("shapes"),
    sizes = shapes.map(([, shape]) => shape.reduce((a, b) => a * b, 1)),
    whole = sizes.reduce((a, b) => a + b, 0);
  const weights = model.get("networks").map((_, n) => {
    let at = n * whole;
    return Object.fromEntries(shapes.map(([name], i) => [name, flat.subarray(at, (at += sizes[i]))]));
  });
  const [, [T, D]] = shapes.find(([name]) => name === "pos_embed");
  return {
    weights,
    networks: model.get("networks"),
    counted: model.get("counted"),
    out: model.get("out"),
    alphabet: [...model.get("alphabet")],
    slots: T - 1,
    D,
  };
}

/** Begin symbol, letters, padding. */
export function tokensOf(data, string) {
  const letters = [...string].map((c) => data.alphabet.indexOf(c)),
    rest = Array(data.slots - letters.length).fill(data.alphabet.length + 1);
  return [data.alphabet.length, ...letters, ...rest];
}

/** The string in lower case, or a sentence that says why it cannot be read. */
export function readString(data, text) {
  const string = text.trim().toLowerCase(),
    strange = [...string].find((c) => !data.alphabet.includes(c)),
    last = data.alphabet[data.alphabet.length - 1];
  if (strange !== undefined) return { wrong: `“${strange}” is not one of the letters ${data.alphabet[0]} to ${last}.` };
  if (string.length > data.slots) return { wrong: `At most ${data.slots} letters fit; these are ${string.length}.` };
  if (string.length < READ) return { wrong: "At least two letters: the answer stands at the second." };
  return { string };
}

/** How often a letter occurs. */
export const countIn = (string, letter) => [...string].filter((c) => c === letter).length;

/** What is shown, in a sentence or three. */
export function counterVerdict(data, n, string, result, place) {
  const said = argmax(result.out[READ]),
    wanted = data.counted[n],
    truth = countIn(string, wanted),
    a = data.alphabet[0],
    times = (k) => (k === 1 ? "once" : `${k} times`);
  const right = said === truth ? "which is right" : `but ${wanted} occurs ${times(truth)}`;
  const other = wanted === a ? "" : ` (${a}: ${countIn(string, a)}, ${wanted}: ${truth})`;
  const mass = [...string].reduce((sum, c, i) => sum + (c === wanted ? result.patterns[1][READ][i + 1] : 0), 0);
  const here =
    place === READ
      ? `In block 2 that place puts ${Math.round(100 * mass)} % of its attention on ${wanted}.`
      : `At the place shown, ${placeName(string, place)}, it writes ${argmax(result.out[place])}.`;
  return `The network “${data.networks[n]}”, asked to count ${wanted}, answers ${said}${other}, ${right}. ${here}`;
}

/** A place in words. */
export function placeName(string, place) {
  if (place === 0) return "the begin symbol";
  const suffix = ["th", "st", "nd", "rd"][place % 100 > 10 && place % 100 < 14 ? 0 : place % 10] ?? "th";
  return `the ${place}${suffix} letter, ${string[place - 1]}`;
}
