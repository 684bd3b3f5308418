// The goal-field explorer: a goal, a start, and the walk that adds two scores and takes the highest.

function render({ model, el }) {
  const field = fieldData(model),
    view = frame(el, "goal-field", draw),
    { root } = view;
  const all = Array.from({ length: field.N }, (_, x) => x);
  const reachable = all.map((x) => arrivals(field, x).able.length > 0);
  /** Goal, start and steps as they are drawn, with the browser's choice for -1. */
  function state(asked = Object.fromEntries(["goal", "start", "steps"].map((trait) => [trait, model.get(trait)]))) {
    let { goal, start } = asked;
    if (goal < 0 || !reachable[goal]) goal = easiestGoal(field);
    if (start < 0 || !(field.distance[start * field.N + goal] > 0)) start = longestStart(field, goal);
    const way = walk(field, goal, start),
      last = way.nodes.length - 1;
    return { goal, start, way, steps: asked.steps < 0 ? last : Math.min(asked.steps, last) };
  }
  const options = [["", all.map((x) => [x, `node ${x}`])]];
  const goals = select("Goal (or click a node)", options, (x) => setTraits(model, { goal: Number(x), start: -1, steps: -1 }));
  const starts = select("Start (or Shift and click)", options, (x) => setTraits(model, { start: Number(x), steps: 0 }));
  const walked = slider("Steps walked", {
    max: 1,
    text: (n) => `${n}`,
    oninput: (n) => setTraits(model, { steps: n }),
  });
  const back = button("Back", () => setTraits(model, { steps: Math.max(state().steps - 1, 0) }), "one step back");
  const forth = button("Step", () => setTraits(model, { steps: state().steps + 1 }), "take the highest sum");
  const line = summary(),
    graph = h("div"),
    scatter = h("div"),
    table = h("div", { class: "sx-bars" });
  root.append(
    line,
    h(
      "div",
      { class: "sx-controls" },
      goals.node,
      starts.node,
      walked.node,
      h("div", { class: "sx-actions" }, back, forth),
    ),
    h(
      "div",
      { class: "sx-main" },
      panel(
        "Learned goal score of every node",
        "Strong colour: high. Solid outline: the node can reach the goal in truth.",
        graph,
        legend([
          { name: "walk", colour: "--sx-walk", width: 4 },
          { name: "next step", colour: "--sx-walk", width: 2.5, dash: "2 4" },
          { name: "step that is no edge", colour: "--sx-warn", width: 3, dash: "6 4" },
        ]),
      ),
      h(
        "section",
        {},
        panel("Candidates: goal score plus step score", "", table),
        panel("Does the score know the distance?", "", scatter),
      ),
    ),
  );

  function draw() {
    const { goal, start, way, steps } = state(),
      here = way.nodes[steps];
    const done = steps === way.nodes.length - 1,
      from = done ? way.nodes[steps - 1] : here; // at the end the last choice stays to be read
    all.forEach((x) => {
      goals.input.options[x].disabled = !reachable[x];
      starts.input.options[x].disabled = !(field.distance[x * field.N + goal] > 0);
    });
    goals.set(String(goal));
    starts.set(String(start));
    walked.set(steps, { max: way.nodes.length - 1 });
    back.disabled = steps === 0;
    forth.disabled = done;
    say(line, fieldVerdict(field, goal, start, steps));
    drawField(graph, field, goal, way.nodes, way.end, steps, (x, shift) => {
      if (shift && field.distance[x * field.N + goal] > 0) setTraits(model, { start: x, steps: 0 });
      else if (!shift && reachable[x]) setTraits(model, { goal: x, start: -1, steps: -1 });
    });
    drawScatter(scatter, field, goal, here);
    const said = done ? `The last choice, at node ${from}: the highest sum was taken.` : `At node ${from}: the highest sum is taken next.`;
    table.replaceChildren(candidateTable(candidates(field, goal, from, 6), said));
  }

  const node = wholeIn(-1, field.N - 1);
  return linkedView({ model, el }, view, "goal-field.1", { goal: node, start: node, steps: wholeIn(-1, field.N) }, (values) => {
    const drawn = state(values);
    return Object.keys(values).every((trait) => values[trait] < 0 || values[trait] === drawn[trait]);
  });
}

export default { render };
