// The retrieval explorer: the reader's library, truth and context, and what follows from them.

const UNIT = (n) => `${n} symbol${n === 1 ? "" : "s"}`;

/** One row of sliders per state; the row of the current state is marked. */
function matrix(it, onedit) {
  const k = it.k,
    letters = it.names;
  const cells = letters.map((from, s) =>
    letters.map((to, j) =>
      slider(`${from}→${to}`, {
        min: 0.01,
        max: +(1 - 0.01 * (k - 1)).toFixed(2),
        step: 0.01,
        text: (p) => p.toFixed(2),
        oninput: (p) => onedit(s, j, p),
      }),
    ),
  );
  const rows = cells.map((row, s) =>
    h("div", { class: "sx-row", role: "group", "aria-label": `from ${letters[s]}` }, ...row.map((cell) => cell.node)),
  );
  const node = h("div", { class: "sx-matrix", style: `--sx-k: ${k}` }, ...rows);
  return {
    node,
    set: (truth, current) =>
      cells.forEach((row, s) => {
        rows[s].classList.toggle("sx-current", s === current);
        row.forEach((cell, j) => {
          if (document.activeElement !== cell.input || Math.abs(Number(cell.input.value) - truth[s * k + j]) > 0.006)
            cell.set(truth[s * k + j]);
        });
      }),
  };
}

function render({ model, el }) {
  const it = workshop(model);
  const view = frame(el, "retrieval", draw),
    { root } = view;
  const act =
    (change) =>
    (...values) => {
      letters.clear();
      change(...values);
    };
  const verdictLine = summary();
  const letters = letterField(`Letters (${it.names.join(", ")}): type, or let the chain write`, {
    read: (text) => {
      const { error, context } = it.read(text);
      return error ?? context;
    },
    onvalue: it.write,
  });
  const used = slider("Symbols used, c", { min: 1, max: 1, text: UNIT, oninput: (c) => setTraits(model, { used: c }) });
  const ribbon = h("div", { class: "sx-ribbon", "aria-hidden": "true" }),
    ribbonHint = h("p", { class: "sx-hint" });
  const one = button(
    "+1",
    act(() => it.extend(1)),
    "add one symbol from the true chain",
  );
  const ten = button(
    "+10",
    act(() => it.extend(10)),
    "add ten symbols from the true chain",
  );
  const mix = button("Shuffle", act(it.shuffle), "shuffle the context but its last symbol");
  const clear = button(
    "Clear",
    act(() => it.write([])),
    "clear the context",
  );
  const again = button("Draw again", act(it.resample), "draw a new context from the true chain");

  const size = slider("Training chains N", {
    max: it.sizes.length - 1,
    text: (i) => number(it.sizes[i]),
    oninput: act((i) => setTraits(model, { chains: it.sizes[i] })),
  });
  const source = choice(
    "The context comes from",
    [
      ["training", "a training chain"],
      ["new", "a new chain"],
      ["edited", "my own"],
    ],
    act(it.setSource),
  );
  const another = button("Draw another", act(it.another), "draw another true chain");
  const table = matrix(it, act(it.edit));
  const fresh = button("New library", act(it.newLibrary), "draw new training chains");

  const prediction = h("div"),
    scores = h("div", { class: "sx-scores" }),
    posterior = h("div", { class: "sx-posterior" }),
    distances = h("div");
  const predictionTitle = h("h4"),
    posteriorHint = h("p", { class: "sx-hint" }),
    results = h("div", { class: "sx-columns" });
  results.append(
    h(
      "section",
      {},
      predictionTitle,
      h("p", { class: "sx-hint" }, "Bars, left to right: UR, BR, UI, BI. Line across: the truth."),
      prediction,
      scores,
    ),
    panel("Which chain is it?", "", posteriorHint, posterior),
  );
  const average = choice(
    "KL(estimate ‖ truth) of",
    [
      ["rows", "all rows, averaged"],
      ["current", "current row"],
    ],
    (averaged) => setTraits(model, { averaged }),
  );
  const curve = h(
    "section",
    {},
    h("div", { class: "sx-curve-head" }, h("h4", {}, "How far from the truth, as the context grows?"), average.node),
    distances,
    legend([
      ...ALGORITHMS.map((a) => ({ name: a.name, colour: a.colour })),
      { name: "Bi-Inf, expected after as many visits", colour: "--sx-ink", dash: "5 4" },
    ]),
  );
  root.append(
    verdictLine,
    h(
      "div",
      { class: "sx-columns sx-setting" },
      h(
        "section",
        { class: "sx-truth-panel" },
        h("h4", {}, "1. The chains"),
        h("div", { class: "sx-with-button" }, size.node, fresh),
        source.node,
        h(
          "div",
          { class: "sx-matrix-head" },
          h("span", { class: "sx-hint" }, "True transition probabilities"),
          another,
        ),
        table.node,
      ),
      h(
        "section",
        { class: "sx-context-panel" },
        h("h4", {}, "2. The context"),
        letters.node,
        letters.error,
        h("div", { class: "sx-actions" }, one, ten, again, mix, clear),
        used.node,
        ribbon,
        ribbonHint,
      ),
    ),
    results,
    curve,
  );

  function draw() {
    const context = it.context(),
      T = context.length,
      c = it.used();
    const result = it.result(),
      truth = it.truth(),
      i = c - 1,
      empty = T === 0;
    say(verdictLine, retrievalVerdict(result, c, it.size(), it.source(), it.isTyped(), it.names));
    letters.set(it.spell(context));
    size.set(it.sizes.findIndex((n) => n >= it.size()));
    source.set(it.source());
    average.set(model.get("averaged"));
    another.disabled = it.source() === "edited";
    table.set(truth, empty ? -1 : result.current[i]);
    used.set(c, { min: Math.min(T, 1), max: T });
    one.disabled = ten.disabled = T >= it.longest;
    mix.disabled = c < 3;
    clear.disabled = empty;
    drawRibbon(ribbon, context, c, it.names);
    results.hidden = curve.hidden = empty;
    if (empty) {
      ribbonHint.textContent = "";
      return;
    }
    const now = it.names[result.current[i]],
      n = result.visits[i];
    ribbonHint.textContent = `Boxed: the current symbol ${now}. Underlined: its ${n} earlier visit${n === 1 ? "" : "s"}. Bold: what followed.`;
    predictionTitle.textContent = `What comes after ${now}?`;
    posteriorHint.textContent = `Posterior over the ${number(it.size())} training chain${it.size() === 1 ? "" : "s"}: by transitions (BR), by symbols (UR).`;
    drawPredictions(prediction, result, i, truth, it.names);
    drawScores(scores, result, i);
    drawPosterior(posterior, result, i, it.trueChain());
    drawDistances(distances, result, c, model.get("averaged") === "rows");
  }

  return linkedView({ model, el }, view, "retrieval.1", ...retrievalReaders(it));
}

export default { render };
