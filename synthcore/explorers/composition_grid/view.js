// The composition grid: a heat map over (k, m), and what the network wrote in each of its cells.

const TURN = { light: 0.66, dark: 0.53 }; // where on the colour scale black and white read equally well

/** Accuracy of every cell; arrow keys move the choice. */
function drawGrid(host, data, s, chosen, theme, choose) {
  const had = host.contains(document.activeElement),
    L = data.L;
  const area = { left: 46, right: Math.max(host.clientWidth, 160) - 6, top: 8 },
    across = (area.right - area.left) / (L + 1),
    high = Math.min(across, 48);
  area.bottom = area.top + (L + 1) * high;
  const { svg } = canvas(host, area.bottom + 42, "Accuracy by number of functions and of displaced ones: arrow keys move.");
  svg.setAttribute("role", "group");
  const middle = (k) => area.left + (k + 0.5) * across,
    level = (m) => area.bottom - (m + 0.5) * high;
  const marks = Array.from({ length: L + 1 }, (_, v) => v);
  axis(svg, "x", area, marks.map((k) => [middle(k), String(k)]), "k, functions that are no identity");
  axis(svg, "y", area, marks.map((m) => [level(m), String(m)]), "m, displaced");
  for (let k = 0; k <= L; k++)
    for (let m = 0; m <= k; m++) {
      const value = data.accuracy(s, k, m),
        known = Number.isFinite(value),
        here = chosen[0] === k && chosen[1] === m;
      const text = known ? `${Math.round(100 * value)}` : "–",
        ink = known && value > TURN[theme] ? "--sx-on-high" : "--sx-on-low";
      const size = number(cellSize(L, data.N, k, m)),
        words = `k ${k}, m ${m}: ${known ? `${text} %` : "not measured"} of ${size} compositions`;
      const fill = known ? `color-mix(in oklab, var(--sx-high) ${(100 * value).toFixed(1)}%, var(--sx-low))` : "transparent";
      svg.append(
        g(
          "g",
          {
            class: `sx-square${here ? " sx-chosen" : ""}`,
            role: "button",
            tabindex: here ? 0 : -1,
            "aria-pressed": String(here),
            "aria-label": words,
            "data-cell": `${k}-${m}`,
            onclick: () => choose(k, m),
            onkeydown: (event) => {
              const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
              if (!step) return;
              event.preventDefault();
              const [a, b] = [k + step[0], m + step[1]];
              if (a >= 0 && a <= L && b >= 0 && b <= a) choose(a, b);
            },
          },
          g("title", {}, words),
          g("rect", {
            x: middle(k) - across / 2 + 2,
            y: level(m) - high / 2 + 2,
            width: across - 4,
            height: high - 4,
            rx: 5,
            style: `fill: ${fill}`,
            class: known ? "" : "sx-unknown",
          }),
          g("text", { x: middle(k), y: level(m), dy: "0.36em", "text-anchor": "middle", style: `fill: var(${ink})` }, text),
        ),
      );
    }
  const picked = svg.querySelector(".sx-chosen");
  svg.append(picked); // its outline lies over the neighbours
  if (had) picked.focus();
}

/** One chain: what was written, row by row, the first error outlined, the truth beside a wrong row. */
function drawExample(host, data, example) {
  const truth = chain(data.tables, example.composition, example.word),
    first = data.B === 1 ? data.L : 1,
    error = firstError(truth, example.blocks, first);
  const high = 38,
    left = 74,
    right = 76;
  const { svg, width } = canvas(host, (data.B + 1) * high + 6, "The word and the blocks that the network wrote.");
  const slot = Math.max(Math.min((width - left - right) / data.K, 48), 14),
    at = (j) => left + (j + 0.5) * slot;
  const spelled = (block) => block.map((a) => (a < 0 ? "·" : data.symbols[a])).join("");
  const text = (x, y, words, kind, anchor = "middle") =>
    svg.append(g("text", { x, y, dy: "0.36em", "text-anchor": anchor, class: kind }, words));
  for (let row = 0; row <= data.B; row++) {
    const y = 20 + row * high,
      block = row ? example.blocks[row - 1] : example.word;
    let name = "word";
    if (row && data.B === 1) name = "answer";
    else if (row) {
      const [d, i] = example.composition[row - 1];
      name = `${functionName([d, i])}${i && d !== row - 1 ? " ↔" : ""}`;
    }
    text(4, y, name, row ? "sx-function" : "sx-title", "start");
    block.forEach((a, j) => {
      const verdict = row ? judgeExample(data, example, truth, row - 1, j) : "word",
        start = error && row && error.block === first + row - 1 && error.slot === j + 1;
      svg.append(
        g("rect", {
          x: at(j) - slot / 2 + 2,
          y: y - 15,
          width: slot - 4,
          height: 30,
          rx: 5,
          class: `sx-cell sx-${verdict}${start ? " sx-first-error" : ""}`,
        }),
      );
      text(at(j), y, a < 0 ? "·" : data.symbols[a], "sx-symbol");
    });
    const expected = row ? truth[first + row - 1] : block;
    if (row && spelled(expected) !== spelled(block)) text(left + data.K * slot + 8, y, `true ${spelled(expected)}`, "sx-truth", "start");
  }
}

function render({ model, el }) {
  const data = gridData(model),
    view = frame(el, "composition-grid", draw),
    { root } = view;
  const go = (k, m) => setTraits(model, { cell: [k, m], example: 0 });
  const subsets = select("Training subset", [["", data.subsets.map((name, s) => [s, name.includes(String(data.trained[s])) ? name : `${name}: ${number(data.trained[s])}`])]], (s) =>
    setTraits(model, { subset: Number(s), example: 0 }),
  );
  const functions = slider("Functions k", { max: data.L, oninput: (k) => go(k, Math.min(model.get("cell")[1], k)) });
  const displaced = slider("Displaced m", { max: data.L, oninput: (m) => go(model.get("cell")[0], m) });
  const which = slider("Example", { max: 1, text: (e) => String(e + 1), oninput: (e) => setTraits(model, { example: e }) });
  const line = summary(),
    grid = h("div"),
    picture = h("div"),
    asked = h("p", { class: "sx-prompt" }),
    reading = h("p", { class: "sx-reading", "aria-live": "polite" }),
    others = h("div");
  root.append(
    line,
    h("div", { class: "sx-controls" }, subsets.node, functions.node, displaced.node),
    h(
      "div",
      { class: "sx-main" },
      h(
        "section",
        {},
        panel("Accuracy in percent", `The ${data.measure}. A click chooses a cell.`, grid),
        panel("This cell under every subset", "", others),
      ),
      panel(
        "What the network wrote",
        "↔: a displaced function. Outlined: the first error. Pale: right steps from a wrong symbol.",
        which.node,
        asked,
        picture,
        reading,
      ),
    ),
  );

  function draw() {
    const s = model.get("subset"),
      [k, m] = model.get("cell"),
      examples = data.examples(s, k, m),
      e = Math.min(model.get("example"), Math.max(examples.length - 1, 0));
    subsets.set(String(s));
    functions.set(k);
    displaced.set(m, { max: k });
    which.set(e, { max: Math.max(examples.length - 1, 0) });
    say(line, gridVerdict(data, s, k, m));
    drawGrid(grid, data, s, [k, m], root.dataset.sxTheme, go);
    const row = (name, i) => {
      const value = data.accuracy(i, k, m);
      return { label: name, value, colour: i === s ? "--sx-accent" : "--sx-soft", text: Number.isFinite(value) ? `${Math.round(100 * value)} %` : "–" };
    };
    others.replaceChildren(bars(data.subsets.map(row)));
    if (!examples.length) {
      picture.replaceChildren();
      asked.textContent = "";
      say(reading, "No example was recorded in this cell.");
      return;
    }
    const one = examples[e],
      spelled = one.word.map((a) => data.symbols[a]).join(" ");
    asked.textContent = `${one.composition.map(functionName).join(" ")} _ ${spelled} _`;
    drawExample(picture, data, one);
    say(reading, exampleWords(data, one));
  }

  return linkedView(
    { model, el },
    view,
    "composition-grid.1",
    { subset: placeIn(data.subsets), cell: listOf(wholeIn(0, data.L), 2), example: wholeIn(0, data.E - 1) },
    ({ subset, cell: [k, m], example }) => m <= k && example < Math.max(data.examples(subset, k, m).length, 1),
  );
}

export default { render };
