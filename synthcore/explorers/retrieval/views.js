// The retrieval explorer's drawings. Each takes what `predict` returned and the position i = c - 1.

/** The context letter by letter: unused symbols faint, the current state boxed, its earlier visits
 *  underlined and the symbols that followed them bold (these are what Bi-Inf counts). */
export function drawRibbon(host, context, c, names) {
  const current = context[c - 1];
  host.replaceChildren(
    ...context.map((s, t) => {
      const kind = [];
      if (t >= c) kind.push("sx-unused");
      else if (t === c - 1) kind.push("sx-now");
      else if (s === current) kind.push("sx-visit");
      if (t > 0 && t < c && context[t - 1] === current) kind.push("sx-after");
      return h("span", { class: kind.join(" ") }, names[s]);
    }),
  );
}

/** Probability of each next symbol: four bars, and the truth as a line across them. */
export function drawPredictions(host, result, i, truth, names) {
  const k = names.length;
  const area = { left: 50, right: Math.max(host.clientWidth, 120) - 4, top: 18, bottom: 190 };
  const { svg } = canvas(
    host,
    area.bottom + 58,
    "Probability of each next symbol by the four predictors, with the truth as a line.",
  );
  const s = result.current[i],
    row = truth.subarray(s * k, s * k + k);
  const y = scale(0, 1, area.bottom, area.top),
    group = (area.right - area.left) / k;
  const gap = Math.min(group * 0.2, 26),
    wide = (group - gap) / 4;
  axis(
    svg,
    "y",
    area,
    [0, 0.25, 0.5, 0.75, 1].map((v) => [y(v), String(v)]),
    "probability",
    { grid: true },
  );
  names.forEach((name, j) => {
    const from = area.left + j * group + gap / 2;
    ALGORITHMS.forEach((a, b) => {
      const p = result.tables[i][b][s * k + j],
        x = from + b * wide;
      svg.append(
        g("rect", {
          x: x + 1,
          width: wide - 2,
          y: y(p),
          height: area.bottom - y(p),
          style: `fill: var(${a.colour})`,
          "data-bar": `${a.name} ${name}`,
        }),
      );
      if (wide >= 17)
        svg.append(
          g("text", { x: x + wide / 2, y: area.bottom + 13, "text-anchor": "middle", class: "sx-code" }, a.code),
        );
    });
    svg.append(
      g("line", { x1: from - 5, x2: from + 4 * wide + 5, y1: y(row[j]), y2: y(row[j]), class: "sx-truth-back" }),
      g("line", { x1: from - 5, x2: from + 4 * wide + 5, y1: y(row[j]), y2: y(row[j]), class: "sx-truth" }),
      g("text", { x: from + 2 * wide, y: area.bottom + 33, "text-anchor": "middle", class: "sx-symbol" }, name),
    );
  });
  svg.append(
    g("line", { x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom, class: "sx-tick" }),
    g(
      "text",
      { x: (area.left + area.right) / 2, y: area.bottom + 53, "text-anchor": "middle", class: "sx-title" },
      "next symbol",
    ),
  );
}

/** Distance of each predictor from the truth at position i, as chips with numbers. */
export function drawScores(host, result, i) {
  const best = Math.min(...result.kl[i]);
  host.replaceChildren(
    h("p", { class: "sx-hint" }, "KL(estimate ‖ truth), nats"),
    ...ALGORITHMS.map((a, b) =>
      h(
        "div",
        { class: result.kl[i][b] === best ? "sx-best" : "" },
        h("span", {}, chip(a.code, a.colour), " ", a.name),
        h("b", {}, nats(result.kl[i][b])),
      ),
    ),
  );
}

/** The most probable chains, by transitions and by symbols; the true one is marked. */
export function drawPosterior(host, result, i, trueChain) {
  const [uni, bi] = result.posteriors[i],
    shown = 5;
  const order = Array.from(bi, (_, n) => n).sort((a, b) => bi[b] + uni[b] - bi[a] - uni[a] || a - b);
  const top = order.slice(0, shown);
  if (trueChain >= 0 && !top.includes(trueChain)) top[top.length - 1] = trueChain;
  const rest = (p) => Math.max(1 - top.reduce((sum, n) => sum + p[n], 0), 0);
  const entries = top.map((n) => [`chain ${n + 1}`, bi[n], uni[n], n === trueChain]);
  if (order.length > shown) entries.push([`${order.length - top.length} others`, rest(bi), rest(uni), false]);
  const bar = (p, algorithm) =>
    h(
      "span",
      { class: "sx-bar-track" },
      h("span", { style: `width: ${(100 * p).toFixed(2)}%; background: var(${algorithm.colour})` }),
    );
  const percent = (p) => `${p > 0 && p < 0.005 ? "<1" : Math.round(100 * p)} %`;
  const head = (a, inPlay) =>
    h("span", { class: "sx-in-play" }, chip(a.code, a.colour), h("b", {}, ` ${Math.max(inPlay, 1).toFixed(1)}`));
  host.replaceChildren(
    h("span", { class: "sx-hint" }, "chains in play"),
    head(ALGORITHMS[1], result.inPlay[i][1]),
    head(ALGORITHMS[0], result.inPlay[i][0]),
    ...entries.flatMap(([name, b, u, isTrue]) => [
      h("span", { class: isTrue ? "sx-true" : "" }, name + (isTrue ? " (true)" : "")),
      h("span", { class: "sx-post" }, bar(b, ALGORITHMS[1]), h("span", {}, percent(b))),
      h("span", { class: "sx-post" }, bar(u, ALGORITHMS[0]), h("span", {}, percent(u))),
    ]),
  );
}

/** KL(estimate || truth) after each symbol: averaged over rows, or of the current symbol's row. */
export function drawDistances(host, result, c, averaged) {
  const area = { left: 58, right: Math.max(host.clientWidth, 120) - 26, top: 10, bottom: 230 };
  const { svg } = canvas(
    host,
    area.bottom + 40,
    "KL divergence of each predictor from the truth against context length.",
  );
  const kl = averaged ? result.meanKl : result.kl,
    expected = averaged ? result.meanExpected : result.expected;
  const cs = kl.map((_, t) => t + 1),
    shown = [...kl.flat(), ...expected];
  const low = Math.max(0.001, 10 ** Math.floor(Math.log10(Math.min(...shown)))),
    high = Math.max(1, ...shown) * 1.2;
  const x = scale(1, Math.max(cs.length, 2), area.left, area.right),
    y = scale(low, high, area.bottom, area.top, true);
  axis(
    svg,
    "y",
    area,
    ticks(low, high, 9, true).map((v) => [y(v), String(v)]),
    "KL (nats)",
    { grid: true },
  );
  axis(
    svg,
    "x",
    area,
    [1, ...ticks(x.max > 10 ? 5 : 2, x.max, Math.floor((area.right - area.left) / 50))]
      .filter(Number.isInteger)
      .map((v) => [x(v), String(v)]),
    "context length c (symbols)",
  );
  lines(svg, area, x, y, [
    ...ALGORITHMS.map((a, b) => ({
      xs: cs,
      ys: kl.map((all) => Math.max(all[b], low / 2)),
      colour: a.colour,
      end: a.code,
      name: a.name,
    })),
    { xs: cs, ys: expected, colour: "--sx-ink", dash: "5 4", width: 1.6, name: "expected" },
  ]);
  cursorLine(svg, area, x(c));
  ALGORITHMS.forEach((a, b) =>
    svg.append(
      g("circle", {
        cx: x(c),
        cy: y(Math.max(kl[c - 1][b], low)),
        r: 4,
        style: `fill: var(${a.colour}); stroke: var(--sx-paper); stroke-width: 1.5px`,
      }),
    ),
  );
}
