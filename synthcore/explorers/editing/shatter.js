// The shatter explorer: distance and strength of an edit, three clouds, and what they lose.

const CLOUD_HINTS = ["Colour: place on the circle.", "Faint: before the edit.", "Ringed: the edited entity."];

/** Two orthonormal directions (D) that span a cloud's first harmonic along a circle, and its mean. */
export function harmonicPlane(world, r, order) {
  const { streams, D, N, circles } = world,
    mean = new Float64Array(D),
    rows = [new Float64Array(D), new Float64Array(D)];
  for (let i = 0; i < N; i++) for (let k = 0; k < D; k++) mean[k] += streams[(r * N + i) * D + k] / N;
  circles[order].forEach((x, place) => {
    const angle = (2 * Math.PI * place) / N;
    for (let k = 0; k < D; k++) {
      const value = streams[(r * N + x) * D + k] - mean[k];
      rows[0][k] += Math.cos(angle) * value;
      rows[1][k] += Math.sin(angle) * value;
    }
  });
  const scaled = (v) => {
    const size = Math.hypot(...v) || 1;
    return v.map((a) => a / size);
  };
  const first = scaled(rows[0]),
    along = rows[1].reduce((sum, v, k) => sum + v * first[k], 0),
    second = scaled(rows[1].map((v, k) => v - along * first[k]));
  return { mean, axes: [first, second] };
}

/** Where every entity of a relation's cloud lies in a plane, at a strength: [[x, y], ...]. */
export function projected(world, plane, r, change, strength) {
  const { streams, D, N } = world;
  return Array.from({ length: N }, (_, i) => {
    const moved = change ? strength * change.alpha[r * N + i] : 0;
    return plane.axes.map((axis) => {
      let sum = 0;
      for (let k = 0; k < D; k++)
        sum += axis[k] * (streams[(r * N + i) * D + k] - plane.mean[k] + (change ? moved * change.delta[k] : 0));
      return sum;
    });
  });
}

/** The change for a fact and a signed distance of the new answer along its circle; null at 0. */
export function changeFor(world, relation, entity, distance) {
  const { table, places, circles, N, each } = world,
    order = Math.floor(relation / each);
  if (distance === 0) return null;
  const place = places[order][table[relation][entity]],
    target = circles[order][(((place + distance) % N) + N) % N];
  const change = writeFact(world, entity, relation, target);
  return { ...change, alpha: overlapsOf(world, change.left), target };
}

function render({ model, el }) {
  let world = null,
    planes = null,
    key = "",
    change = null;
  const view = frame(el, "shatter", draw),
    { root } = view;
  const names = model.get("names"),
    circles = model.get("circles"),
    C = circles.length,
    N = circles[0].length,
    each = names.length / C,
    half = Math.floor(N / 2);
  const relations = select(
    "Edited relation r",
    circles.map((_, c) => [`order ${ORDER_NAMES[c]}`, names.slice(c * each, (c + 1) * each).map((name, i) => [c * each + i, name])]),
    (value) => setTraits(model, { relation: Number(value) }),
  );
  const where = slider("Edited entity", {
    max: N - 1,
    text: (place) => `${circles[0][place]}, place ${place}`,
    oninput: (place) => setTraits(model, { entity: circles[0][place] }),
  });
  const distance = slider("New answer, steps", {
    min: -half,
    max: half,
    text: (d) => (d === 0 ? "0 (no edit)" : `${d > 0 ? "+" : "−"}${Math.abs(d)}`),
    oninput: (d) => setTraits(model, { distance: d }),
  });
  const strength = slider("Strength t", {
    max: 2,
    step: 0.05,
    text: (t) => t.toFixed(2),
    oninput: (t) => setTraits(model, { strength: t }),
  });
  const line = summary(),
    clouds = circles.map(() => h("div")),
    numbers = circles.map(() => h("div"));
  root.append(
    line,
    h("div", { class: "sx-controls" }, relations.node, where.node, distance.node, strength.node),
    h(
      "div",
      { class: "sx-clouds" },
      ...circles.map((_, c) =>
        panel(`Order ${ORDER_NAMES[c]}: h(x; ${names[c * each]})`, CLOUD_HINTS[c], clouds[c], numbers[c]),
      ),
    ),
  );

  function draw() {
    world ??= editingWorld(model);
    planes ??= circles.map((_, c) => harmonicPlane(world, c * each, c));
    const relation = model.get("relation"),
      entity = model.get("entity"),
      d = model.get("distance"),
      t = model.get("strength");
    const wanted = `${relation} ${entity} ${d}`;
    if (wanted !== key) {
      key = wanted;
      change = changeFor(world, relation, entity, d);
    }
    relations.set(String(relation));
    where.set(world.places[0][entity]);
    distance.set(d);
    strength.set(t);
    const answers = change ? answersAt(world, change, t) : world.before,
      kept = circles.map((_, c) => keptOf(world, answers, c, entity, relation)),
      parts = circles.map((_, c) => (change ? shatteringOf(world, change, t, c * each) : { R: 0, inflation: 0, shape: 0 }));
    circles.forEach((_, c) => {
      drawCloud(clouds[c], world, planes[c], c, change, t, entity);
      numbers[c].replaceChildren(
        bars([
          { label: "R", value: Math.min(parts[c].R, 1), text: parts[c].R.toFixed(2), colour: "--sx-ink" },
          { label: "inflation", value: Math.min(parts[c].inflation, 1), text: parts[c].inflation.toFixed(2), colour: "--sx-uni-ret" },
          { label: "shape", value: Math.min(parts[c].shape, 1), text: parts[c].shape.toFixed(2), colour: "--sx-bi-ret" },
          { label: "still right", value: kept[c].share, text: `${(100 * kept[c].share).toFixed(0)} %`, colour: "--sx-uni-inf" },
        ]),
      );
    });
    say(line, shatterVerdict(world, { relation, entity, d, t }, change, answers, kept, parts));
  }

  return linkedView({ model, el }, view, "shatter.1", {
    ...{ relation: placeIn(names), entity: placeIn(circles[0]) },
    ...{ distance: wholeIn(-half, half), strength: numberIn(0, 2) },
  });
}

/** What was edited, whether it took, and what it cost. */
export function shatterVerdict(world, { relation, entity, d, t }, change, answers, kept, parts) {
  const { names, table, N } = world,
    fact = `${entity} ${names[relation]}`;
  if (!change) return `No edit: ${fact} = ${table[relation][entity]}. Move the new answer away from the old one.`;
  const now = answers[relation * N + entity],
    took = now === change.target ? `answers ${now} now, as it was told` : `answers ${now} and not yet ${change.target}`;
  const lost = kept.reduce((sum, one) => sum + one.counted - one.kept, 0),
    counted = kept.reduce((sum, one) => sum + one.counted, 0),
    worst = parts.reduce((a, b) => (b.R > a.R ? b : a));
  return (
    `${fact}: ${table[relation][entity]} → ${change.target}, ${Math.abs(d)} ${Math.abs(d) === 1 ? "step" : "steps"} away, at strength ${t.toFixed(2)}. The network ${took}. ` +
    `Of ${number(counted)} other facts that were right, ${number(lost)} are lost (${((100 * lost) / counted).toFixed(1)} %). ` +
    `R is ${worst.R.toFixed(2)} at most: inflation ${worst.inflation.toFixed(2)}, shape ${worst.shape.toFixed(2)}.`
  );
}

/** A cloud before (faint) and after, in one scale; the edited entity has a ring. */
function drawCloud(host, world, plane, c, change, t, entity) {
  const { each, circles, N, names } = world,
    r = c * each,
    before = projected(world, plane, r, null, 0),
    after = projected(world, plane, r, change, t);
  const { svg, width, height } = canvas(host, Math.min(host.clientWidth || 200, 250), `The cloud of ${names[r]} before and after the edit.`);
  const reach = Math.max(...[...before, ...after].flat().map(Math.abs)) * 1.08,
    side = Math.min(width, height),
    x = scale(-reach, reach, (width - side) / 2, (width + side) / 2),
    y = scale(-reach, reach, (height + side) / 2, (height - side) / 2);
  const closed = [...circles[c], circles[c][0]];
  svg.append(g("path", { d: path(closed.map((e) => x(after[e][0])), closed.map((e) => y(after[e][1]))), class: "sx-thread" }));
  for (const [px, py] of before) svg.append(g("circle", { cx: x(px), cy: y(py), r: 2, class: "sx-before" }));
  circles[c].forEach((e, place) =>
    svg.append(
      g("circle", {
        cx: x(after[e][0]).toFixed(1),
        cy: y(after[e][1]).toFixed(1),
        r: 3.4,
        style: `fill: hsl(${Math.round((360 * place) / N)} 62% 52%)`,
      }),
    ),
  );
  svg.append(g("circle", { cx: x(after[entity][0]), cy: y(after[entity][1]), r: 7.5, class: "sx-edited" }));
}

export default { render };
