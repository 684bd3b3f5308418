// The forking explorer's drawings: text, outcome bands, change points and hazards, one place.

const BANDS = ["--sx-a", "--sx-b", "--sx-c", "--sx-d", "--sx-e", "--sx-f"];

/** The text; every token is as red as the change it is thought to cause. A click swaps a token. */
export function drawText(host, text, vocabulary, ptau, at, swap) {
  const last = text.length - 1;
  host.replaceChildren(
    ...text.map((place, t) => {
      const branch = place.branches[place.chosen];
      const change = t < last ? ptau[t + 1] : 0;
      const mark = `${t === at ? " sx-here" : ""}${place.chosen ? " sx-swapped" : ""}`;
      return h(
        "span",
        {
          class: `sx-token${mark}`,
          style: `background: color-mix(in srgb, var(--sx-fork) ${(100 * Math.min(change, 1)).toFixed(0)}%, transparent)`,
          title: `position ${t}: ${place.branches.map((b) => `${vocabulary[b.token].trim()} ${(100 * b.p).toFixed(0)} %`).join(", ")}`,
          "data-token": t,
          onclick: () => swap(t),
        },
        vocabulary[branch.token],
      );
    }),
  );
}

/** Outcome shares over positions as a stack. */
function stack(svg, area, x, shares) {
  const y = scale(0, 1, area.bottom, area.top),
    width = x(1) - x(0) + 0.3;
  shares.forEach((row, t) => {
    let top = 0;
    row.forEach((share, k) => {
      if (share > 0.001)
        svg.append(
          g("rect", {
            x: x(t - 0.5).toFixed(1),
            y: y(top + share).toFixed(1),
            width: width.toFixed(1),
            height: (y(top) - y(top + share)).toFixed(1),
            style: `fill: var(${BANDS[k]})`,
          }),
        );
      top += share;
    });
  });
}

/** Exact and sampled outcomes over the text, one above the other; a click chooses a position. */
export function drawBands(host, rows, at, pick) {
  const tall = 92,
    { svg, width } = canvas(host, 2 * tall + 70, "Outcome shares along the text, exact above and sampled below.");
  const left = 50,
    right = width - 8,
    x = scale(-0.5, rows.length - 0.5, left, right);
  [
    ["exact", rows.map((row) => [...row.exact])],
    ["sampled", rows.map((row) => row.o)],
  ].forEach(([name, shares], i) => {
    const area = { left, right, top: 6 + i * (tall + 14), bottom: 6 + i * (tall + 14) + tall };
    stack(svg, area, x, shares);
    const marks = [0, 0.5, 1].map((v) => [area.bottom - v * tall, String(v)]);
    axis(svg, "y", area, marks, name);
    const steps = ticks(0, rows.length - 1, Math.floor((right - left) / 50)).map((v) => [x(v), String(v)]);
    axis(svg, "x", area, i ? steps : [], i ? "token position" : "");
  });
  const whole = { left, right, top: 6, bottom: 20 + 2 * tall };
  cursorLine(svg, whole, x(at));
  hitArea(svg, whole, (px) => pick(Math.max(0, Math.min(rows.length - 1, Math.round(x.invert(px))))));
}

/** Probability of a change before every token, over the true jumps; and below, how far the outcomes
 *  after other tokens are, with the hazard's eps. */
export function drawChanges(host, rows, ptau, eps, at, pick) {
  const tall = 84,
    { svg, width } = canvas(host, 2 * tall + 74, "Posterior of change points, and distances of other tokens.");
  const left = 50,
    right = width - 8,
    x = scale(-0.5, rows.length - 0.5, left, right);
  const above = { left, right, top: 6, bottom: 6 + tall },
    below = { left, right, top: 24 + tall, bottom: 24 + 2 * tall };
  const y = scale(0, 1, above.bottom, above.top),
    d = scale(0, 1.45, below.bottom, below.top);
  axis(svg, "y", above, [0, 0.5, 1].map((v) => [y(v), String(v)]), "P(change)", { grid: true });
  axis(svg, "y", below, [0, 0.5, 1].map((v) => [d(v), String(v)]), "distance", { grid: true });
  const steps = ticks(0, rows.length - 1, Math.floor((right - left) / 50)).map((v) => [x(v), String(v)]);
  axis(svg, "x", above, []);
  axis(svg, "x", below, steps, "token position");
  const width1 = (x(1) - x(0)) * 0.86;
  ptau.forEach((p, t) => {
    if (p > 0.002)
      svg.append(
        g("rect", { x: x(t) - width1 / 2, y: y(Math.min(p, 1)), width: width1, height: above.bottom - y(Math.min(p, 1)), class: "sx-change" }),
      );
  });
  rows.forEach((row, t) => {
    if (row.jump >= 0.02 && t + 1 < rows.length)
      svg.append(g("path", { d: `M${x(t + 1)} ${y(Math.min(row.jump, 1))}m-5 0l5 -5l5 5l-5 5z`, class: "sx-jump" }));
    row.seen.forEach((b, i) => {
      if (b !== row.own)
        svg.append(
          g("circle", { cx: x(t), cy: d(row.far[i]), r: 1.5 + 3.5 * b.weight, class: `sx-far${row.far[i] >= eps ? " sx-hazard" : ""}` }),
        );
    });
  });
  svg.append(g("line", { x1: left, x2: right, y1: d(eps), y2: d(eps), class: "sx-eps" }));
  const whole = { left, right, top: 6, bottom: below.bottom };
  cursorLine(svg, whole, x(at));
  hitArea(svg, whole, (px) => pick(Math.max(0, Math.min(rows.length - 1, Math.round(x.invert(px))))));
}

/** The tokens that may stand at a place, each with its probability and outcomes. */
export function placeTable(place, row, vocabulary, names) {
  return place.branches.map((b, i) => {
    const seen = row.seen.find((other) => other.w === b.w);
    const bar = (shares) =>
      h(
        "span",
        { class: "sx-bar-track sx-stack" },
        ...[...shares].map((v, k) =>
          h("span", { style: `width: ${(100 * v).toFixed(2)}%; background: var(${BANDS[k]})`, title: `${names[k]} ${(100 * v).toFixed(0)} %` }),
        ),
      );
    return h(
      "div",
      { class: `sx-choice-row${i === place.chosen ? " sx-taken" : ""}`, "data-branch": b.w },
      h("span", {}, `${i === place.chosen ? "▸ " : ""}${vocabulary[b.token].trim()}`),
      h("span", { class: "sx-bar-value" }, `${(100 * b.p).toFixed(0)} %`),
      bar(b.after),
      seen ? bar(seen.share) : h("span", { class: "sx-hint" }, "not tried"),
    );
  });
}
