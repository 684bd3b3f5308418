// What the reader of the retrieval explorer has set: library, truth and context. It stands in the model's traits. No drawing.

const APART = 0x5bd1e995; // keeps the draws of truth and context apart from those of the library

/** Library sizes on the slider: about two per octave, ending at the largest. */
export function librarySizes(largest) {
  const sizes = [];
  for (let i = 0; Math.round(2 ** (i / 2)) < largest; i++) sizes.push(Math.round(2 ** (i / 2)));
  return [...new Set([...sizes, largest])];
}

/** Rows of k numbers, each with sum 1. */
const normalised = (values, k) =>
  Float64Array.from(values, (p, i) => p / values.slice(i - (i % k), i - (i % k) + k).reduce((sum, q) => sum + q, 0));

/** What reads each trait in the page's address, and whether they go together. */
export function retrievalReaders({ k, longest, sizes, read }) {
  const rows = (values) => Array.from({ length: values.length / k }, (_, s) => values.slice(s * k, (s + 1) * k));
  const readers = {
    ...{ chains: wholeIn(1, sizes.at(-1)), draws: listOf(wholeIn(0, 1e6), 3), source: oneOf(["training", "new", "edited"]) },
    truth: listOf(numberIn(1e-4, 1), 0, k * k),
    context: (text) => read(text).letters,
    ...{ written: wholeIn(0, longest), used: wholeIn(0, longest), averaged: oneOf(["rows", "current"]) },
  };
  const fits = ({ source, truth, context, written, used }) =>
    truth.length === (source === "edited" ? k * k : 0) &&
    rows(truth).every((row) => Math.abs(row.reduce((sum, p) => sum + p, 0) - 1) < 0.01) &&
    used <= (context.length || written);
  return [readers, fits];
}

/** What the reader has set, what can be done to it, and what is computed from it. */
export function workshop(model) {
  const k = model.get("states"),
    longest = model.get("max_length"),
    sizes = librarySizes(model.get("max_chains")),
    seed = model.get("seed"),
    names = [..."ABCDE".slice(0, k)],
    chance = generator(seed ^ APART),
    kept = new Map();
  /** What `make` gives, made anew where `key` is another than the last time. */
  function cached(make, ...key) {
    const wanted = JSON.stringify(key);
    if (kept.get(make.name)?.wanted !== wanted) kept.set(make.name, { wanted, made: make(...key) });
    return kept.get(make.name).made;
  }
  const seedOf = (draw) => (seed + Math.imul(draw, 0x9e3779b1)) >>> 0;
  function shelf(draw) {
    const uniform = generator(seedOf(draw));
    const chains = Array.from({ length: sizes.at(-1) }, () => drawChain(k, uniform));
    return library(chains, k);
  }
  /** Which training chain is the true one, a share of their number, and the chain that is none of them. */
  function candidates(draw) {
    const uniform = generator(seedOf(draw) ^ APART);
    return { pick: uniform(), chain: drawChain(k, uniform) };
  }
  function uniforms(draw) {
    const uniform = generator(seedOf(draw) ^ APART);
    return Array.from({ length: 1 + k * k + longest }, uniform).slice(1 + k * k); // the first made `candidates`
  }
  const draws = () => model.get("draws");
  const read = (text) => readContext(text, k, longest);
  const set = (values) => setTraits(model, values);
  const redrawn = (which) => ({ draws: draws().map((draw, i) => (i === which ? draw + 1 : draw)) });
  const spell = (context) => context.map((s) => names[s]).join("");

  const it = { k, longest, sizes, names, spell, read };
  it.size = () => Math.min(Math.max(model.get("chains"), 1), sizes.at(-1));
  it.source = () => (model.get("source") === "edited" && model.get("truth").length !== k * k ? "training" : model.get("source"));
  it.trueChain = () => (it.source() === "training" ? Math.floor(cached(candidates, draws()[1]).pick * it.size()) : -1);
  it.truth = () => {
    if (it.source() === "edited") return normalised(model.get("truth"), k);
    return it.source() === "new" ? cached(candidates, draws()[1]).chain : cached(shelf, draws()[0]).chains[it.trueChain()];
  };
  /** What the reader wrote; empty if the true chain is to write. */
  const typed = () => read(model.get("context")).context ?? [];
  it.isTyped = () => typed().length > 0;
  it.context = () => (it.isTyped() ? typed() : sampleContext(it.truth(), k, cached(uniforms, draws()[2]).slice(0, model.get("written"))));
  /** How many symbols are used; all of them unless the reader said less. */
  it.used = () => {
    const all = it.context().length,
      used = model.get("used");
    return used > 0 ? Math.min(used, all) : all;
  };
  const result = () => predict(cached(shelf, draws()[0]), it.size(), it.context(), it.truth());
  it.result = () => cached(result, ...["draws", "chains", "source", "truth", "context", "written"].map((trait) => model.get(trait)));

  it.newLibrary = () => set(redrawn(0));
  it.another = () => set(redrawn(1));
  const rounded = (truth) => Array.from(truth, (p) => Math.max(+p.toFixed(4), 1e-4));
  it.setSource = (source) => set({ truth: source === "edited" ? rounded(it.truth()) : [], source });
  it.edit = (s, j, p) => {
    const truth = it.truth().slice();
    truth.set(setEntry(Array.from(truth.subarray(s * k, s * k + k)), j, p), s * k);
    set({ truth: rounded(truth), source: "edited" });
  };
  it.write = (context) => set({ context: spell(context), used: 0, ...(context.length ? {} : { written: 0, ...redrawn(2) }) });
  it.extend = (n) => {
    const context = it.context(),
      end = Math.min(context.length + n, longest);
    if (!it.isTyped()) return set({ written: end, used: 0 });
    const more = cached(uniforms, draws()[2]).slice(context.length, end);
    it.write(sampleContext(it.truth(), k, more, context));
  };
  it.shuffle = () => {
    // the current state stays, its history is scrambled
    const context = it.context(),
      c = it.used();
    set({ context: spell([...shuffled(context.slice(0, c - 1), chance), ...context.slice(c - 1)]) });
  };
  it.resample = () => set({ ...redrawn(2), context: "", written: it.context().length || model.get("length"), used: 0 });
  return it;
}
