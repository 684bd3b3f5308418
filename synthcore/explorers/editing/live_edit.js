// The live edit: pick a fact and a new answer; the network is edited here and asked about everything.

const STATES = [
  { name: "right, as before", colour: "--sx-line" },
  { name: "broken by the edit", colour: "--sx-bi-ret" },
  { name: "mended by the edit", colour: "--sx-uni-inf" },
  { name: "wrong, as before", colour: "--sx-soft", opacity: 0.45 },
  { name: "wrong in another way", colour: "--sx-uni-ret" },
];

/** What the edit did to one fact: an index of STATES. */
export function stateOf(truth, before, after) {
  if (before === truth) return after === truth ? 0 : 1;
  if (after === truth) return 2;
  return before === after ? 3 : 4;
}

function render({ model, el }) {
  let world = null,
    key = "",
    edited = null;
  const view = frame(el, "live-edit", draw),
    { root } = view;
  const names = model.get("names"),
    circles = model.get("circles"),
    table = model.get("table"),
    C = circles.length,
    N = circles[0].length,
    each = names.length / C;
  const relations = select(
    "Relation r",
    circles.map((_, c) => [`order ${ORDER_NAMES[c]}`, names.slice(c * each, (c + 1) * each).map((name, i) => [c * each + i, name])]),
    (value) => setTraits(model, { relation: Number(value) }),
  );
  const all = Array.from({ length: N }, (_, x) => [x, String(x)]);
  const own = () => circles[Math.floor(model.get("relation") / each)];
  const entities = slider("Entity x", {
    max: N - 1,
    text: (place) => `${own()[place]}, place ${place}`,
    oninput: (place) => setTraits(model, { entity: own()[place] }),
  });
  const targets = select("New answer", [["", all]], (value) => setTraits(model, { target: Number(value) }));
  const pick = (n) => Math.floor(Math.random() * n);
  const another = button(
    "Another fact",
    () => setTraits(model, { relation: pick(names.length), entity: pick(N), target: pick(N) }),
    "a random fact and a random new answer",
  );
  const line = summary(),
    map = h("div"),
    probed = h("div");
  root.append(
    line,
    h("div", { class: "sx-controls" }, relations.node, entities.node, targets.node, another),
    panel(
      "All facts after the edit",
      "One row per relation, one column per place on its circle. Click a fact to edit it.",
      map,
      legend(STATES.map(({ name, colour, opacity }) => ({ name, colour, area: true, opacity: opacity ?? 1 }))),
    ),
    panel("The edited prompt: likeliest answers", "", probed),
  );

  /** The edit of the fact that is picked, and every answer after it; how long that took. */
  function compute(relation, entity, target) {
    const began = performance.now();
    let change = null,
      answers = world.before;
    if (target !== world.before[relation * N + entity]) {
      change = writeFact(world, entity, relation, target);
      change.alpha = overlapsOf(world, change.left);
      answers = answersAt(world, change, 1);
    }
    return { change, answers, milliseconds: performance.now() - began };
  }

  function draw() {
    world ??= editingWorld(model);
    const relation = model.get("relation"),
      entity = model.get("entity"),
      target = model.get("target"),
      wanted = `${relation} ${entity} ${target}`;
    if (wanted !== key) {
      key = wanted;
      edited = compute(relation, entity, target);
    }
    relations.set(String(relation));
    entities.set(own().indexOf(entity));
    targets.set(String(target));
    const { change, answers } = edited,
      states = Array.from(answers, (after, row) => stateOf(table[Math.floor(row / N)][row % N], world.before[row], after));
    const counts = STATES.map((_, s) => states.filter((state) => state === s).length);
    say(line, liveVerdict(world, relation, entity, target, edited, counts));
    drawMap(map, world, states, relation, entity, (r, x) => setTraits(model, { relation: r, entity: x }));
    const row = relation * N + entity,
      before = probabilitiesAt(world, null, 0, row),
      after = probabilitiesAt(world, change, 1, row);
    const top = [...new Set([target, world.before[row], ...Array.from(after.keys()).sort((a, b) => after[b] - after[a]).slice(0, 3)])].slice(0, 3);
    const word = (token) => (token < N ? String(token) : names[token - N]);
    probed.replaceChildren(
      bars(
        top.flatMap((token) => [
          { label: `${word(token)} before`, value: before[token], text: before[token].toFixed(2), colour: "--sx-soft" },
          { label: `${word(token)} after`, value: after[token], text: after[token].toFixed(2), colour: "--sx-accent" },
        ]),
      ),
    );
  }

  const entity = placeIn(circles[0]);
  return linkedView({ model, el }, view, "live-edit.1", { relation: placeIn(names), entity, target: entity });
}

/** What was written, whether it took, what broke and what it took to compute. */
export function liveVerdict(world, relation, entity, target, { change, answers, milliseconds }, counts) {
  const { names, table, N } = world,
    fact = `${entity} ${names[relation]}`,
    old = world.before[relation * N + entity],
    word = (token) => (token < N ? token : names[token - N]);
  if (!change) return `${fact} = ${word(old)} already: an edit would have nothing to write. Pick another answer.`;
  const now = answers[relation * N + entity],
    truth = table[relation][entity];
  const kind = target === truth ? "a correction" : old === truth ? "a counterfactual" : "one wrong answer for another";
  const took = now === target ? `answers ${word(now)} now` : `still answers ${word(now)}: the edit failed`;
  return (
    `${fact}: ${word(old)} → ${word(target)} (${kind}). The network ${took}. Of ${number(names.length * N)} facts ${number(counts[1])} broke and ` +
    `${number(counts[2])} were mended. Value search, rank-one change and all answers took ${milliseconds.toFixed(0)} ms in this page.`
  );
}

/** The map of facts: a path per state, so that thousands of cells are a handful of elements. */
function drawMap(host, world, states, relation, entity, go) {
  const { N, R, each, places, circles, names } = world,
    left = 54,
    row = 9,
    gap = 8,
    top = 4;
  const width = Math.max(host.clientWidth, 200),
    cell = (width - left - 2) / N,
    yOf = (r) => top + r * row + Math.floor(r / each) * gap,
    height = yOf(R - 1) + row + 4;
  const { svg } = canvas(host, height, "Every fact: right, broken or mended.");
  STATES.forEach(({ colour, opacity, name }, s) => {
    let d = "";
    states.forEach((state, at) => {
      if (state !== s) return;
      const r = Math.floor(at / N),
        x = left + places[Math.floor(r / each)][at % N] * cell;
      d += `M${x.toFixed(1)} ${yOf(r)}h${Math.max(cell - 0.4, 0.6).toFixed(2)}v${row - 1}h${-Math.max(cell - 0.4, 0.6).toFixed(2)}Z`;
    });
    svg.append(g("path", { d, style: `fill: var(${colour}); opacity: ${opacity ?? 1}`, "data-state": name }));
  });
  for (let r = 0; r < R; r += Math.ceil(each / 2))
    svg.append(g("text", { x: left - 6, y: yOf(r) + row - 1, "text-anchor": "end", class: "sx-small" }, names[r]));
  const at = left + places[Math.floor(relation / each)][entity] * cell;
  svg.append(g("rect", { x: at - 2.5, y: yOf(relation) - 2.5, width: cell + 5, height: row + 4, class: "sx-edited" }));
  hitArea(svg, { left, right: left + N * cell, top, bottom: height - 4 }, (px, py) => {
    let r = 0;
    while (r < R - 1 && py >= yOf(r + 1)) r++;
    const place = Math.max(0, Math.min(N - 1, Math.floor((px - left) / cell)));
    go(r, circles[Math.floor(r / each)][place]);
  });
}

export default { render };
