// The compiled counter: a string, three attention maps, and the output.

const ROLES = ["Block 1: attention is not used", "Block 2: the selector looks at what it counts", "Block 3: every letter reads its own count"];

/** One attention map: queries in rows, keys in columns; the chosen row is framed. */
function drawMap(host, b, labels, pattern, place, choose) {
  const n = labels.length,
    left = 26,
    top = 20,
    side = Math.min(Math.max((host.clientWidth - left - 4) / n, 6), 24);
  const { svg } = canvas(host, top + n * side + 6, `${ROLES[b]}. Attention of every place (row) on every place (column).`);
  const small = side < 13 ? "font-size: 9px" : "font-size: 11px";
  labels.forEach((text, t) => {
    const middle = (t + 0.5) * side,
      chosen = t === place;
    svg.append(g("text", { x: left + middle, y: top - 6, "text-anchor": "middle", style: small }, text));
    svg.append(
      g("text", { x: left - 6, y: top + middle, dy: "0.35em", "text-anchor": "end", style: small, class: chosen ? "sx-row-name" : "" }, text),
    );
  });
  pattern.slice(0, n).forEach((row, q) =>
    row.slice(0, n).forEach((share, k) =>
      svg.append(
        g("rect", {
          x: left + k * side,
          y: top + q * side,
          width: side,
          height: side,
          class: "sx-share",
          style: `fill: color-mix(in oklab, var(--sx-high) ${(100 * Math.sqrt(share)).toFixed(1)}%, var(--sx-low))`,
        }),
      ),
    ),
  );
  svg.append(g("rect", { x: left, y: top, width: n * side, height: n * side, class: "sx-box" }));
  svg.append(g("rect", { x: left, y: top + place * side, width: n * side, height: side, class: "sx-chosen-row" }));
  hitArea(svg, { left: 0, right: left + n * side, top, bottom: top + n * side }, (_, y) =>
    choose(Math.max(0, Math.min(n - 1, Math.floor((y - top) / side)))),
  );
}

function render({ model, el }) {
  const data = counterData(model),
    view = frame(el, "compiled-counter", draw),
    { root } = view;
  const field = letterField("String", {
    maxlength: data.slots + 5,
    read: (text) => {
      const found = readString(data, text);
      return found.wrong ?? found;
    },
    onvalue: ({ string }) => setTraits(model, { string, place: Math.min(model.get("place"), string.length) }),
  });
  const another = button("New string", () => {
    field.clear();
    const among = (k) => data.alphabet[Math.floor(Math.random() * k)],
      letter = () => among(Math.random() < 0.6 ? 2 : data.alphabet.length); // many a and b
    setTraits(model, { string: Array.from({ length: data.slots }, letter).join(""), place: READ });
  });
  const which = choice(
    "Network",
    data.networks.map((name) => [name, name]),
    (network) => setTraits(model, { network }),
  );
  const row = slider("Row shown", {
    max: data.slots,
    text: (place) => placeName(model.get("string"), Math.min(place, model.get("string").length)),
    oninput: (place) => setTraits(model, { place }),
  });
  const line = summary(),
    hosts = ROLES.map(() => h("div")),
    looks = h("div"),
    said = h("div");
  root.append(
    line,
    which.node,
    h("div", { class: "sx-controls" }, field.node, h("div", {}, another), row.node),
    field.error,
    h("div", { class: "sx-maps" }, ...hosts.map((host, b) => panel(ROLES[b], "", host))),
    h("p", { class: "sx-hint" }, "^ is the begin symbol. Rows look at columns; dark is much (light in the dark). Click a row, or move the slider."),
    h(
      "div",
      { class: "sx-pair" },
      panel("Where this row looks in block 2", "Share of attention by what stands there.", looks),
      panel("What stands at this row of the output", "One value for every count; the largest is the answer.", said),
    ),
  );

  function draw() {
    const string = model.get("string"),
      n = Math.max(0, data.networks.indexOf(model.get("network"))),
      place = Math.max(0, Math.min(model.get("place"), string.length)),
      result = compiledForward(data, n, tokensOf(data, string)),
      labels = ["^", ...string],
      [a, b] = data.alphabet;
    field.set(string);
    which.set(data.networks[n]);
    row.set(place, { max: string.length });
    say(line, counterVerdict(data, n, string, result, place));
    hosts.forEach((host, i) => drawMap(host, i, labels, result.patterns[i], place, (chosen) => setTraits(model, { place: chosen })));
    const shares = result.patterns[1][place],
      on = (test) => labels.reduce((sum, c, t) => sum + (test(c, t) ? shares[t] : 0), 0),
      bar = (label, value, colour) => ({ label, value, colour, text: value.toFixed(2) });
    looks.replaceChildren(
      bars([
        bar(`letters ${a}`, on((c, t) => t > 0 && c === a), "--sx-bi-ret"),
        bar(`letters ${b}`, on((c, t) => t > 0 && c === b), "--sx-bi-inf"),
        bar("other letters", on((c, t) => t > 0 && c !== a && c !== b), "--sx-soft"),
        bar("begin symbol", shares[0], "--sx-uni-inf"),
      ]),
    );
    const out = result.out[place],
      best = argmax(out),
      top = Math.max(...out),
      low = Math.min(...out, 0),
      shown = out.map((value, i) => ({ value, i })).slice(0, Math.max(best + 2, 8));
    said.replaceChildren(
      bars(
        shown.map(({ value, i }) => ({
          label: `count ${i}`,
          value: (value - low) / (top - low || 1),
          colour: i === best ? "--sx-accent" : "--sx-soft",
          text: (Math.abs(value) < 0.005 ? 0 : value).toFixed(2),
        })),
      ),
    );
  }

  return linkedView(
    { model, el },
    view,
    "compiled-counter.1",
    { string: (text) => readString(data, text).string, network: oneOf(data.networks), place: wholeIn(0, data.slots) },
    ({ string, place }) => place <= string.length,
  );
}

export default { render };
