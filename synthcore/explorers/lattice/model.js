// The lattice of compositions, without drawing. A composition v is a bit pattern: bit p, concept p.
// Letters: E checkpoints, V = 2^s compositions.

/** Read the synced arrays of a model once, with accessors by index. */
export function latticeData(model) {
  const floats = (name) => {
    const view = model.get(name);
    return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  };
  const losses = floats("losses"),
    ends = floats("intervals"),
    mu = model.get("mu"),
    V = 2 ** mu.length;
  return {
    mu,
    s: mu.length,
    V,
    epochs: model.get("epochs"),
    loss: (e, v) => losses[e * V + v],
    interval: (e, v) => (ends.length ? [ends[2 * (e * V + v)], ends[2 * (e * V + v) + 1]] : null),
    highest: losses.reduce((a, b) => Math.max(a, b), 0),
  };
}

/** Number of concepts in v. */
export function level(v) {
  let count = 0;
  for (let rest = v; rest; rest >>= 1) count += rest & 1;
  return count;
}

/** Every [u, v] with u a strict subset of v: 3^s - 2^s pairs. */
export function comparable(s) {
  const out = [];
  for (let v = 0; v < 2 ** s; v++) for (let u = 0; u < v; u++) if ((u & v) === u) out.push([u, v]);
  return out;
}

/** The pairs of which v has one concept more than u. */
export function covers(s) {
  return comparable(s).filter(([u, v]) => level(v) === level(u) + 1);
}

/** Compositions by level, each level in the order of its concepts: 12, 13, 14, 23 ... */
export function levels(s) {
  const rows = Array.from({ length: s + 1 }, () => []);
  for (let v = 0; v < 2 ** s; v++) rows[level(v)].push(v);
  return rows.map((row) => row.sort((a, b) => nodeName(a).localeCompare(nodeName(b))));
}

/** "13" for concepts 1 and 3, "∅" for none. */
export function nodeName(v) {
  let name = "";
  for (let p = 0; v >> p; p++) if ((v >> p) & 1) name += p + 1;
  return name || "∅";
}

/** "concepts 1 and 3", for sentences. */
export function nodeWords(v) {
  const all = [...nodeName(v)];
  if (v === 0) return "no concept";
  if (all.length === 1) return `concept ${all[0]}`;
  return `concepts ${all.slice(0, -1).join(", ")} and ${all[all.length - 1]}`;
}

/** Strictly comparable pairs whose order fails at checkpoint e: { u, v, clear }; `clear` if their
 *  intervals do not overlap. Equal losses keep the order. */
export function broken(data, e) {
  return comparable(data.s)
    .filter(([u, v]) => data.loss(e, u) > data.loss(e, v))
    .map(([u, v]) => {
      const below = data.interval(e, u),
        above = data.interval(e, v);
      return { u, v, clear: Boolean(below) && below[0] > above[1] };
    });
}

/** A loss between 0 and 1 on the colour scale: logarithmic over `decades` below the highest of all
 *  checkpoints, or linear from zero to the highest of this one. */
export function shade(loss, highest, log, decades = 3) {
  if (!(highest > 0)) return 0;
  const t = log ? 1 + Math.log10(Math.max(loss / highest, 10 ** -decades)) / decades : loss / highest;
  return Math.max(0, Math.min(t, 1));
}

/** 0.0123, 1.23, 12.3: three digits, and "<.001" for next to nothing. */
export function lossText(v) {
  if (v > 0 && v < 0.001) return "<.001";
  return v >= 100 ? String(Math.round(v)) : String(+v.toPrecision(v < 0.1 ? 2 : 3));
}

/** How many pairs hold, and which do not. */
export function latticeVerdict(data, e) {
  const fails = broken(data, e),
    all = comparable(data.s).length,
    holds = all - fails.length;
  const place = `Epoch ${+data.epochs[e].toPrecision(3)}: `;
  const share = `${holds} of the ${all} strictly comparable pairs hold (${((100 * holds) / all).toFixed(0)} %)`;
  if (!fails.length)
    return `${place}all ${all} strictly comparable pairs hold: no part has a higher loss than its whole.`;
  const shown = fails.slice(0, 5).map(({ u, v }) => `${nodeName(u)} above ${nodeName(v)}`);
  const more = fails.length > shown.length ? ` and ${fails.length - shown.length} more` : "";
  const clear = fails.filter((fail) => fail.clear).length;
  const apart = clear
    ? `In ${clear} of these the intervals do not overlap.`
    : "The intervals overlap in each of these.";
  const noise = data.interval(e, 0) ? ` ${apart}` : "";
  return `${place}${share}. In loss, ${shown.join(", ")}${more}, though a part should not be harder than its whole.${noise}`;
}
