// What the reader of the retrieval explorer has set: library, truth and context. No drawing.

/** Library sizes on the slider: about two per octave, ending at the largest. */
export function librarySizes(largest) {
  const sizes = [];
  for (let i = 0; Math.round(2 ** (i / 2)) < largest; i++) sizes.push(Math.round(2 ** (i / 2)));
  return [...new Set([...sizes, largest])];
}

/** Everything the reader can set, and what is computed from it. */
export function workshop(model) {
  const k = model.get("states"),
    longest = model.get("max_length"),
    sizes = librarySizes(model.get("max_chains"));
  let seed = model.get("seed"),
    shelf,
    result = null;
  const uniform = generator(seed ^ 0x5bd1e995);
  const draw = (n) => Array.from({ length: n }, uniform);
  const stock = () => {
    const fresh = generator(seed);
    shelf = library(
      Array.from({ length: sizes[sizes.length - 1] }, () => drawChain(k, fresh)),
      k,
    );
  };
  stock();
  const it = {
    k,
    longest,
    sizes,
    names: [..."ABCDE".slice(0, k)],
    source: "training",
    size: model.get("chains"),
    used: 0,
  };
  let pick = uniform(),
    newChain = drawChain(k, uniform),
    edited = null;
  let uniforms = draw(model.get("length")),
    typed = null;
  const dirty = () => {
    result = null;
  };
  const toEnd = () => {
    dirty();
    it.used = it.context().length;
  };

  it.trueChain = () => (it.source === "training" ? Math.floor(pick * it.size) : -1);
  it.truth = () => (it.source === "training" ? shelf.chains[it.trueChain()] : it.source === "new" ? newChain : edited);
  it.context = () => typed ?? sampleContext(it.truth(), k, uniforms);
  it.result = () => (result ??= predict(shelf, it.size, it.context(), it.truth()));
  it.setSize = (n) => {
    it.size = n;
    dirty();
  };
  it.newLibrary = () => {
    seed = Math.floor(uniform() * 2 ** 31);
    stock();
    dirty();
    return seed;
  };
  it.setSource = (source) => {
    if (source === "edited") edited = Float64Array.from(it.truth());
    it.source = source;
    dirty();
  };
  it.another = () => {
    if (it.source === "training") pick = uniform();
    else newChain = drawChain(k, uniform);
    dirty();
  };
  it.edit = (s, j, p) => {
    if (it.source !== "edited") it.setSource("edited");
    edited.set(setEntry(Array.from(edited.subarray(s * k, s * k + k)), j, p), s * k);
    dirty();
  };
  it.isTyped = () => typed !== null;
  it.write = (context) => {
    typed = context;
    toEnd();
  };
  it.extend = (n) => {
    const room = Math.min(n, longest - it.context().length);
    if (typed) typed = sampleContext(it.truth(), k, draw(room), typed);
    else uniforms.push(...draw(room));
    toEnd();
  };
  it.shuffle = () => {
    // the current state stays, its history is scrambled
    const context = it.context(),
      c = it.used;
    typed = [...shuffled(context.slice(0, c - 1), uniform), ...context.slice(c - 1)];
    dirty();
  };
  it.resample = () => {
    uniforms = draw(it.context().length || model.get("length"));
    typed = null;
    toEnd();
  };
  toEnd();
  return it;
}
