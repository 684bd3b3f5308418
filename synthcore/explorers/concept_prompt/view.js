// The concept-prompt explorer: ask for any blue and any radius; the network draws in this page.

const COUNT = 8;

function render({ model, el }) {
  const networks = readNetworks(model),
    facts = {
      steps: model.get("steps"),
      amounts: model.get("amounts"),
      live: model.get("live"),
      contrast: model.get("contrast"),
      separation: model.get("separation"),
      table: floats(model.get("accuracy")),
    },
    how = { depth: model.get("depth"), gammas: model.get("gammas") },
    D = networks[0].get("leave").columns,
    side = Math.sqrt(D / 3),
    plainRadius = MIDDLE - facts.separation / 2,
    kept = new Map(),
    view = frame(el, "concept-prompt", draw),
    { root } = view;
  /** Images of a prompt and what they show; the last few are kept. */
  function asked(step, amount, radius, seed) {
    const key = [step, amount, radius, seed].join();
    if (!kept.has(key)) {
      if (kept.size > 20) kept.delete(kept.keys().next().value);
      const noise = normals(generator(seed), COUNT * D),
        pixels = drawImages(networks[step], how, promptOf(amount, radius), noise, COUNT);
      const found = Array.from({ length: COUNT }, (_, n) => readDisc(pixels.subarray(n * D, (n + 1) * D), side));
      kept.set(key, { pixels, found });
    }
    return kept.get(key);
  }
  const when = slider("Training step", {
    max: networks.length - 1,
    text: (i) => number(facts.live[i]),
    oninput: (i) => setTraits(model, { step: i }),
  });
  const blue = slider("Prompt: blue", {
    min: -0.95,
    max: 0.95,
    step: 0.05,
    text: (v) => `${v.toFixed(2)}${Math.abs(v - facts.contrast) < 0.024 ? " = class" : ""}`,
    oninput: (v) => setTraits(model, { amount: Math.round(v * 100) / 100 }),
  });
  const large = slider("Prompt: radius", {
    min: 0.1,
    max: 0.75,
    step: 0.025,
    text: (v) => `${v.toFixed(3).replace(/0$/, "")}${Math.abs(v - plainRadius) < 0.012 ? " = class" : ""}`,
    oninput: (v) => setTraits(model, { radius: Math.round(v * 1000) / 1000 }),
  });
  const plain = button("Plain prompt", () => setTraits(model, { amount: facts.contrast, radius: plainRadius }), "ask for the mean of the class");
  const renew = button("New noise", () => setTraits(model, { noise: model.get("noise") + 1 }), "draw from other noise");
  const line = summary(),
    gallery = h("div"),
    classes = h("div"),
    map = h("div");
  root.append(
    line,
    h("div", { class: "sx-controls" }, when.node, blue.node, large.node),
    h("div", { class: "sx-actions" }, plain, renew),
    h(
      "div",
      { class: "sx-main" },
      h(
        "section",
        {},
        panel("What the network draws", "Computed here from its weights. ✓ small and blue.", gallery),
        panel("What the images show", "Boxes: training. Dots: the images. Cross: the prompt.", classes),
      ),
      panel(
        "How often the drawing is right",
        "Strong colour: always small and blue. Arrows: steps whose network is in this page. Click to ask.",
        map,
      ),
    ),
  );

  function draw() {
    const step = model.get("step"),
      amount = model.get("amount"),
      radius = model.get("radius"),
      seed = model.get("noise");
    const here = asked(step, amount, radius, seed),
      usual = asked(step, facts.contrast, plainRadius, seed),
      isPlain = Math.abs(amount - facts.contrast) < 0.001 && Math.abs(radius - plainRadius) < 0.001;
    when.set(step);
    blue.set(amount);
    large.set(radius);
    plain.disabled = isPlain;
    say(line, promptWords(facts.live[step], amount, radius, here.found, usual.found, isPlain));
    drawGallery(gallery, here.pixels, here.found, side);
    drawClasses(classes, facts, here.found, amount, radius);
    drawMap(map, facts, amount, facts.live[step], (a, i) => setTraits(model, { amount: a, step: i }));
  }

  return linkedView({ model, el }, view, "concept-prompt.1", {
    ...{ step: placeIn(networks), amount: numberIn(-1, 1), radius: numberIn(0.1, 0.75), noise: wholeIn(1, 2 ** 31) },
  });
}

export default { render };
