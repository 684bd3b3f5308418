// The forking explorer: swap a token, see what becomes of the outcome, and what samples show of it.

const LEAST = 3,
  MOST = 6;
const SAMPLES = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300];

function render({ model, el }) {
  const view = frame(el, "forking", draw),
    { root } = view;
  const [N, R, T, W, K] = model.get("shape"),
    vocabulary = model.get("vocabulary"),
    names = model.get("names");
  const bytes = (name) => {
    const data = model.get(name);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  };
  const data = { T, W, R, K, tokens: bytes("tokens"), to: bytes("to"), p: floats(model.get("p")), ends: floats(model.get("ends")) };
  const worlds = Array.from({ length: N }, (_, n) => world(data, n));
  const swaps = () => new Map(model.get("swaps"));
  /** The next token that may stand at t; what comes after it is written anew. */
  function swap(t) {
    const now = swaps(),
      place = textOf(worlds[model.get("world")], now)[t];
    const next = new Map([...now].filter(([position]) => position < t));
    const chosen = (place.chosen + 1) % place.branches.length;
    if (chosen) next.set(t, chosen);
    setTraits(model, { swaps: [...next], position: t });
  }
  const options = model.get("titles").map((title, n) => [String(n), title]);
  const chooser = select("Text", [["", options]], (n) => setTraits(model, { world: Number(n), swaps: [] }));
  const percent = (v) => `${v} %`;
  const controls = {
    position: slider("Token", { max: T - 1, oninput: (t) => setTraits(model, { position: t }) }),
    samples: slider("S, completions", {
      max: SAMPLES.length - 1,
      text: (i) => String(SAMPLES[i]),
      oninput: (i) => setTraits(model, { samples: SAMPLES[i] }),
    }),
    threshold: slider("Threshold of tokens", { min: 1, max: 30, text: percent, oninput: (v) => setTraits(model, { threshold: v / 100 }) }),
    eps: slider("ε, distance", { min: 0.05, max: 1.4, step: 0.05, text: (v) => v.toFixed(2), oninput: (v) => setTraits(model, { eps: v }) }),
    alpha: slider("α, prior", {
      ...{ min: -1.5, max: 1, step: 0.05 },
      text: (v) => (10 ** v).toPrecision(2),
      oninput: (v) => setTraits(model, { alpha: +(10 ** v).toPrecision(3) }),
    }),
  };
  const swapped = button("Swap token", () => swap(model.get("position")), "write the next likely token at this position");
  const again = button("Draw again", () => setTraits(model, { draw: model.get("draw") + 1 }), "new samples of the same text");
  const restore = button("Restore", () => setTraits(model, { swaps: [] }), "the greedy text");
  const verdict = summary(),
    text = h("p", { class: "sx-ribbon sx-text" }),
    bands = h("div"),
    changes = h("div"),
    place = h("div", { class: "sx-bars sx-places" });
  const outcomes = names.map((name, k) => ({ name: `answer ${name}`, colour: BANDS[k], area: true }));
  root.append(
    verdict,
    h("div", { class: "sx-controls" }, chooser.node, controls.position.node, h("div", { class: "sx-actions" }, swapped, again, restore)),
    panel("The text: click a token to swap it", "Red: where the outcomes are thought to change. Underlined: swapped.", text),
    h("div", { class: "sx-controls" }, controls.samples.node, controls.threshold.node, controls.eps.node, controls.alpha.node),
    h(
      "div",
      { class: "sx-main" },
      panel("How it will end", "If the text went on from here: in truth, and as sampled.", bands, legend(outcomes)),
      panel(
        "Where it changes, and where it could have",
        "Bars: posterior of a change. Diamonds: true jumps. Dots: outcomes after another token, by distance.",
        changes,
        legend([
          { name: "another token, far", colour: "--sx-fork", dot: 4 },
          { name: "another token, near", colour: "--sx-soft", dot: 3 },
          { name: "ε", colour: "--sx-fork", dash: "5 3" },
        ]),
      ),
    ),
    panel("At this token", "Probability of each, exact outcomes, sampled outcomes.", place),
  );

  function draw() {
    const one = worlds[model.get("world")],
      written = textOf(one, swaps()),
      at = Math.min(model.get("position"), T - 1);
    const settings = Object.fromEntries(["samples", "threshold", "eps", "draw"].map((name) => [name, model.get(name)]));
    const found = analyse(one, written, settings);
    const counts = found.rows.map((row) => row.o.map((v) => v * row.n));
    const changed = posterior(dmEvidence(counts, model.get("alpha"), LEAST), T, MOST, LEAST);
    const words = written.map((p) => vocabulary[p.branches[p.chosen].token]);
    chooser.set(String(model.get("world")));
    controls.position.set(at);
    const near = SAMPLES.findIndex((v) => v >= settings.samples);
    controls.samples.set(near < 0 ? SAMPLES.length - 1 : near);
    controls.threshold.set(Math.round(100 * settings.threshold));
    controls.eps.set(settings.eps);
    controls.alpha.set(Math.log10(model.get("alpha")));
    restore.disabled = model.get("swaps").length === 0;
    say(verdict, forkingVerdict(found, changed, words, settings));
    drawText(text, written, vocabulary, changed.ptau, at, swap);
    drawBands(bands, found.rows, at, (t) => setTraits(model, { position: t }));
    drawChanges(changes, found.rows, changed.ptau, settings.eps, at, (t) => setTraits(model, { position: t }));
    place.replaceChildren(...placeTable(written[at], found.rows[at], vocabulary, names));
  }

  return linkedView(
    { model, el },
    view,
    "forking.1",
    {
      ...{ world: placeIn(worlds), swaps: rowsOf(wholeIn(0, Math.max(T, W)), 2, 0, T), position: wholeIn(0, T - 1) },
      ...{ samples: wholeIn(1, 300), threshold: numberIn(0.01, 0.3), eps: numberIn(0.05, 1.4), alpha: numberIn(0.03, 10) },
      draw: wholeIn(0, 2 ** 31),
    },
    ({ world: n, swaps: pairs }) => {
      const written = textOf(worlds[n], new Map(pairs));
      return pairs.every(([t, w], i) => w > 0 && written[t]?.chosen === w && t > (pairs[i - 1]?.[0] ?? -1));
    },
  );
}

export default { render };
