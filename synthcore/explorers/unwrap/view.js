// The unwrap explorer: delete neurons and see whether "a + 1" turns back into "a".

/** Accuracies over the number of deleted neurons. */
function drawCurves(host, data, c, k, go) {
  const area = { left: 54, right: Math.max(host.clientWidth, 160) - 40, top: 10, bottom: 190 },
    last = data.deleted[data.deleted.length - 1],
    { svg } = canvas(host, area.bottom + 42, "Accuracy over the number of deleted neurons.");
  const x = scale(0, last, area.left, area.right),
    y = scale(0, 1.02, area.bottom, area.top);
  axis(svg, "x", area, ticks(0, last, 6).map((v) => [x(v), short(v)]), "deleted neurons K");
  axis(svg, "y", area, [0, 0.25, 0.5, 0.75, 1].map((v) => [y(v), short(v)]), "share of right answers", { grid: true });
  lines(svg, area, x, y, [
    { xs: data.deleted, ys: data.old(c), colour: "--sx-bi-ret", width: 2.6, end: "a", name: "old" },
    { xs: data.deleted, ys: data.new(c), colour: "--sx-bi-inf", width: 2.6, dash: "7 4", end: "b", name: "new" },
  ]);
  for (const [n, value] of data.control(c))
    svg.append(g("path", { d: `M${x(n) - 5} ${y(value)}h10M${x(n)} ${y(value) - 5}v10`, class: "sx-cross" }));
  cursorLine(svg, area, x(data.deleted[k]));
  const nearest = (v) => data.deleted.reduce((best, n, i) => (Math.abs(n - v) < Math.abs(data.deleted[best] - v) ? i : best), 0);
  hitArea(svg, area, (px) => go(nearest(x.invert(px))));
}

/** What is answered to prompts for a (bars), and what would be right (steps). */
function drawCounts(host, data, c, k) {
  const shares = data.counts(c, k),
    top = Math.max(0.3, ...shares, ...data.truth),
    area = { left: 54, right: Math.max(host.clientWidth, 160) - 8, top: 10, bottom: 190 },
    { svg } = canvas(host, area.bottom + 42, "How often each number is answered, and how often it is right."),
    wide = (area.right - area.left) / shares.length,
    y = scale(0, top * 1.05, area.bottom, area.top);
  axis(svg, "x", area, shares.map((_, n) => [area.left + (n + 0.5) * wide, String(n)]), "answer to a prompt for a");
  axis(svg, "y", area, ticks(0, top, 4).map((v) => [y(v), short(v)]), "share of answers", { grid: true });
  shares.forEach((share, n) => {
    const left = area.left + n * wide;
    svg.append(g("rect", { x: left + 3, y: y(share), width: wide - 6, height: area.bottom - y(share), class: "sx-count" }));
    svg.append(g("line", { x1: left + 1, x2: left + wide - 1, y1: y(data.truth[n]), y2: y(data.truth[n]), class: "sx-truth-line" }));
  });
}

/** The example texts, letters a marked, with answer and truth. */
function drawTexts(host, data, c, k) {
  const high = 30,
    { svg, width } = canvas(host, data.windows.length * high + 20, "Example texts with the answer and the right count."),
    letters = data.windows[0].length,
    step = Math.min((width - 122) / letters, 22),
    from = 4,
    after = from + letters * step + 14;
  svg.append(g("text", { x: from, y: 11, class: "sx-title" }, "counted letters"), g("text", { x: after, y: 11, class: "sx-title" }, "answer"), g("text", { x: after + 62, y: 11, class: "sx-title" }, "right"));
  data.windows.forEach((window, e) => {
    const y = 20 + e * high,
      said = data.said[c][k][e],
      verdict = judgeCount(window, said);
    [...window].forEach((letter, i) => {
      const x = from + i * step;
      svg.append(g("rect", { x: x + 1, y: y + 2, width: step - 2, height: high - 8, rx: 3, class: letter === "a" ? "sx-letter sx-a" : "sx-letter" }));
      svg.append(g("text", { x: x + step / 2, y: y + high / 2 - 2, dy: "0.36em", "text-anchor": "middle", class: "sx-symbol" }, letter));
    });
    svg.append(g("rect", { x: after, y: y + 2, width: 46, height: high - 8, rx: 5, class: `sx-answer sx-${verdict}`, "data-verdict": verdict }));
    const mark = { right: "✓", more: "+1", other: "✗" }[verdict];
    svg.append(g("text", { x: after + 23, y: y + high / 2 - 2, dy: "0.36em", "text-anchor": "middle", class: "sx-symbol" }, `${said < 100 ? said : "–"} ${mark}`));
    const truth = [...window].filter((letter) => letter === "a").length;
    svg.append(g("text", { x: after + 74, y: y + high / 2 - 2, dy: "0.36em", "text-anchor": "middle", class: "sx-symbol" }, String(truth)));
  });
}

function render({ model, el }) {
  const data = unwrapData(model),
    view = frame(el, "unwrap", draw),
    { root } = view;
  const which = choice(
    "Fine-tuned with",
    data.conditions.map((name, i) => [String(i), name]),
    (value) => setTraits(model, { condition: Number(value) }),
  );
  const go = (place) => setTraits(model, { place });
  const gone = slider("Deleted neurons K", { max: data.deleted.length - 1, text: (i) => String(data.deleted[i]), oninput: go });
  const line = summary(),
    curves = h("div"),
    counts = h("div"),
    texts = h("div");
  root.append(
    line,
    h("div", { class: "sx-controls" }, which.node, gone.node),
    h(
      "div",
      { class: "sx-pair" },
      panel(
        "Does the old answer come back?",
        "",
        curves,
        legend([
          { name: "old task: count a", colour: "--sx-bi-ret", width: 2.6 },
          { name: "new task: count b, shortcut right", colour: "--sx-bi-inf", width: 2.6, dash: "7 4" },
          ...(data.control(0).length ? [{ name: "crosses: old task, random neurons deleted", colour: "--sx-soft", width: 0 }] : []),
        ]),
      ),
      panel("What it answers to prompts for a", "Bars: answers. Lines: how often each is right. One tall bar would be a constant.", counts),
    ),
    panel("Six texts", "Letters a are marked. ✓ right, +1 the shortcut's answer, ✗ anything else.", texts),
  );

  function draw() {
    const c = Math.min(model.get("condition"), data.conditions.length - 1),
      k = Math.min(model.get("place"), data.deleted.length - 1);
    which.set(String(c));
    gone.set(k);
    say(line, unwrapVerdict(data, c, k));
    drawCurves(curves, data, c, k, go);
    drawCounts(counts, data, c, k);
    drawTexts(texts, data, c, k);
  }

  return linkedView({ model, el }, view, "unwrap.1", { condition: placeIn(data.conditions), place: placeIn(data.deleted) });
}

export default { render };
