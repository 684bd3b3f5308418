// The composer: five functions, a word, and the network's answer, computed in this page.

function render({ model, el }) {
  const task = composerTask(model),
    gpt = gptOf(model),
    { L, F, A, K } = task;
  const view = frame(el, "composer", draw),
    { root } = view;
  let key = "",
    answer = null;
  const symbolsShown = () => {
    const n = model.get("shown");
    return n < 1 || n > L * K ? L * K : n;
  };
  const optionsAt = (l) => {
    const of = (d, from) =>
      Array.from({ length: F - from }, (_, i) => [`${d}.${i + from}`, functionName([d, i + from]) + (i + from ? "" : " identity")]);
    const others = Array.from({ length: L }, (_, d) => d).filter((d) => d !== l);
    return [
      ["of this position", of(l, 0)],
      ["of another position (displaced)", others.flatMap((d) => of(d, 1))],
    ];
  };
  const functions = Array.from({ length: L }, (_, l) =>
    select(`Function ${l + 1}`, optionsAt(l), (value) => {
      const composition = model.get("composition").map((pair) => [...pair]);
      composition[l] = value.split(".").map(Number);
      setTraits(model, { composition });
    }),
  );
  const letters = letterField("Word", {
    maxlength: K,
    read: (text) => {
      const word = [...text].map((c) => task.symbols.indexOf(c));
      return word.length === K && word.every((a) => a >= 0) ? word : `A word has ${K} symbols, each one of ${task.symbols.join("")}.`;
    },
    onvalue: (word) => setTraits(model, { word }),
  });
  const pick = (n) => Math.floor(Math.random() * n);
  /** A draw other than what is shown: there are few short words. The same one if no other turns up. */
  function unlike(shown, draw) {
    let drawn = draw();
    for (let i = 0; i < 50 && String(drawn) === String(shown); i++) drawn = draw();
    return drawn;
  }
  const another = button("New word", () => {
    letters.clear();
    setTraits(model, { word: unlike(model.get("word"), () => Array.from({ length: K }, () => pick(A))) });
  });
  const draft = button("New functions", () => {
    const draw = () => Array.from({ length: L }, (_, l) => [l, 1 + pick(F - 1)]);
    setTraits(model, { composition: unlike(model.get("composition"), draw) });
  });
  const progress = slider("Symbols written", {
    min: 1,
    max: L * K,
    text: (n) => `${n} of ${L * K}`,
    oninput: (n) => {
      play.pause();
      setTraits(model, { shown: n });
    },
  });
  const play = player(
    "Write",
    "watch the blocks being written, symbol by symbol",
    180,
    () => symbolsShown() >= L * K,
    (again) => setTraits(model, { shown: again ? 1 : symbolsShown() + 1 }),
  );
  const all = Array.from({ length: gpt.depth * gpt.heads }, (_, i) => [Math.floor(i / gpt.heads), i % gpt.heads]),
    names = all.map((head) => head.join("."));
  const heads = select(
    "Attention of",
    [["", [["mean", "all heads, mean"], ...all.map(([b, i], at) => [names[at], `layer ${b + 1}, head ${i + 1}`])]]],
    (attention) => setTraits(model, { attention }),
  );
  view.onStop(play.pause);
  const line = summary(),
    grid = h("div"),
    numbers = h("div");
  root.append(
    line,
    h("div", { class: "sx-functions" }, ...functions.map((one) => one.node)),
    h(
      "div",
      { class: "sx-controls" },
      letters.node,
      h("div", { class: "sx-actions" }, another, draft),
      progress.node,
      h("div", { class: "sx-actions" }, play.node),
    ),
    letters.error,
    h(
      "div",
      { class: "sx-main" },
      panel(
        "The network writes block after block",
        "Each row applies the function at its left to the row above. Arcs: where it looks for the newest symbol. Click a symbol.",
        grid,
        legend([
          { name: "to the function's token", colour: "--sx-uni-ret", width: 5 },
          { name: "to the symbol to transform", colour: "--sx-bi-inf", width: 5 },
          { name: "elsewhere", colour: "--sx-soft", width: 3 },
          { name: "wrong", colour: "--sx-warn", area: true, opacity: 0.4 },
          { name: "rightly applied to a wrong symbol", colour: "--sx-warn", area: true, opacity: 0.15 },
        ]),
      ),
      h(
        "section",
        {},
        ...(all.length > 1 ? [heads.node] : []),
        panel("Attention and the next symbol", "Both at the newest symbol.", numbers),
      ),
    ),
  );

  function draw() {
    const composition = model.get("composition"),
      word = model.get("word"),
      wanted = JSON.stringify([composition, word]);
    if (wanted !== key) {
      key = wanted;
      answer = composerAnswer(gpt, task, composition, word);
    }
    const n = symbolsShown(),
      head = model.get("attention"),
      weights = attention(answer.written[n - 1].patterns, head);
    functions.forEach((one, l) => one.set(composition[l].join(".")));
    letters.set(word.map((a) => task.symbols[a]).join(""));
    progress.set(n);
    heads.set(head);
    say(line, composerVerdict(task, composition, word, answer, n, weights));
    drawComposer(grid, task, composition, word, answer, n, weights, (place) => {
      play.pause();
      setTraits(model, { shown: place });
    });
    numbers.replaceChildren(...composerBars(task, composition, answer, n, weights));
  }

  return linkedView(
    { model, el },
    view,
    "composer.1",
    {
      ...{ composition: rowsOf(wholeIn(0, Math.max(L, F)), 2, L), word: listOf(placeIn(task.symbols), K) },
      ...{ shown: either(oneOf([-1]), wholeIn(1, L * K)), attention: oneOf(["mean", ...names]) },
    },
    ({ composition }) => composition.every(([d, i]) => d < L && i < F),
  );
}

export default { render };
