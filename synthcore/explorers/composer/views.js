// The composer's drawing: the document as a grid, one row per block, and the arcs of attention.

/** Rows are blocks: task token, separator, symbols. `n` symbols are shown; arcs lead to the newest. */
export function drawComposer(host, task, composition, word, answer, n, weights, choose) {
  const { L, K, tables, symbols } = task,
    truth = chain(tables, composition, word);
  const rowHigh = 50,
    wide = Math.max(host.clientWidth, 200),
    first = Math.min(0.16 * wide, 70),
    gap = Math.min(0.08 * wide, 30);
  const { svg, width } = canvas(host, (L + 1) * rowHigh + 10, "The word, the functions and the blocks that the network wrote.");
  svg.setAttribute("role", "group");
  const slot = Math.min((width - first - gap) / K, 64);
  const at = ({ row, column }) => ({
    x: column === -2 ? first / 2 : column === -1 ? first + gap / 2 : first + gap + (column + 0.5) * slot,
    y: 26 + row * rowHigh,
  });
  const box = (where, w, kind, extra = {}) => {
    const { x, y } = at(where);
    return g("rect", { x: x - w / 2, y: y - 16, width: w, height: 32, rx: 6, class: kind, ...extra });
  };
  const write = (where, text, kind) => {
    const { x, y } = at(where);
    svg.append(g("text", { x, y, dy: "0.36em", "text-anchor": "middle", class: kind }, text));
  };
  const newest = { b: Math.ceil(n / K), j: (n - 1) % K };
  for (let row = 0; row <= L; row++) {
    const current = row === newest.b;
    svg.append(box({ row, column: -2 }, first - 6, row ? `sx-task${current ? " sx-current" : ""}` : "sx-begin"));
    write({ row, column: -2 }, row ? functionName(composition[row - 1]) : "begin", row ? "sx-task-name" : "sx-small");
    if (row <= newest.b) write({ row, column: -1 }, "_", "sx-small");
    for (let j = 0; j < K; j++) {
      const where = { row, column: j },
        place = (row - 1) * K + j + 1;
      if (row === 0) {
        svg.append(box(where, slot - 6, "sx-cell sx-word"));
        write(where, symbols[word[j]], "sx-symbol");
        continue;
      }
      const cell = g("g", { onclick: () => choose(place), class: "sx-pick", "data-place": place });
      svg.append(cell);
      if (place > n) {
        cell.append(box(where, slot - 6, "sx-cell sx-future"));
        continue;
      }
      const verdict = judge(task, composition, truth, answer.blocks, row, j),
        wrote = answer.blocks[row - 1][j],
        { x, y } = at(where);
      cell.append(box(where, slot - 6, `sx-cell sx-${verdict}${place === n ? " sx-newest" : ""}`));
      cell.append(g("text", { x, y, dy: "0.36em", "text-anchor": "middle", class: "sx-symbol" }, wrote < 0 ? "·" : symbols[wrote]));
      if (verdict !== "right")
        cell.append(g("text", { x: x + slot / 2 - 5, y: y - 18, "text-anchor": "end", class: "sx-truth" }, `true ${symbols[truth[row][j]]}`));
    }
  }
  drawArcs(svg, task, at, newest, weights);
}

/** Curves from the tokens looked at to the newest symbol, as wide as the attention. */
function drawArcs(svg, task, at, { b, j }, weights) {
  const to = at({ row: b, column: j }),
    source = placeOf(task, b - 1, j);
  weights.forEach((weight, p) => {
    if (weight < 0.03) return;
    const from = at(cellOf(task, p)),
      kind = p === b ? "task" : p === source ? "source" : "other";
    const [dx, dy] = [to.x - from.x, to.y - from.y],
      length = Math.hypot(dx, dy) || 1,
      bow = Math.min(0.22 * length, 30) + 6;
    // bow to the left of the way, so that arcs along a row pass above it
    const middle = [from.x + dx / 2 + (dy / length) * bow, from.y + dy / 2 - (Math.abs(dx) / length) * bow];
    svg.append(
      g(
        "path",
        {
          d: `M${from.x.toFixed(1)} ${(from.y - (dy ? 0 : 14)).toFixed(1)}Q${middle.map((v) => v.toFixed(1)).join(" ")} ${to.x.toFixed(1)} ${(to.y - 14).toFixed(1)}`,
          class: `sx-arc sx-arc-${kind}`,
          style: `stroke-width: ${(1 + 11 * weight).toFixed(2)}px`,
          "data-arc": p,
        },
        g("title", {}, `${(100 * weight).toFixed(1)} % of the attention`),
      ),
    );
  });
}

/** Shares of attention, and the most probable tokens for the newest symbol. */
export function composerBars(task, composition, answer, n, weights) {
  const look = selection(task, weights, n),
    percent = (v) => `${(100 * v).toFixed(0)} %`;
  const share = (label, value, colour) => ({ label, value, colour, text: percent(value) });
  const { probabilities } = answer.written[n - 1];
  const likely = Array.from(probabilities, (p, token) => ({ p, token }))
    .sort((a, c) => c.p - a.p)
    .slice(0, 3);
  const name = (token) => (token < task.A ? task.symbols[token] : "no symbol");
  return [
    bars([
      share(`function ${functionName(composition[look.b - 1])}`, look.task, "--sx-uni-ret"),
      share("symbol above", look.symbol, "--sx-bi-inf"),
      share("elsewhere", look.elsewhere, "--sx-soft"),
    ]),
    bars(likely.map(({ p, token }) => share(`writes ${name(token)}`, p, "--sx-accent"))),
  ];
}
