// Small helpers that every explorer uses: elements, labelled native controls, theme, redrawing.

/** An HTML element: h("p", { class: "x", onclick: f }, "text", child). */
export function h(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function g(tag, attributes = {}, ...children) {
  return build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function build(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// every widget on a page loads its own copy of this module, so a counter alone would repeat itself
const copy = Math.random().toString(36).slice(2, 10);
let serial = 0;
/** An id that no other view on the page has. */
export function uniqueId(stem) {
  serial += 1;
  return `sx-${stem}-${copy}-${serial}`;
}

/** 1234567 -> "1,234,567" with narrow spaces that do not break; small numbers keep their digits. */
export function number(value) {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** 1000 -> "1k", for axes. */
export function short(value) {
  if (value >= 1e6) return `${+(value / 1e6).toFixed(1)}M`;
  if (value >= 1e3) return `${+(value / 1e3).toFixed(1)}k`;
  return String(+value.toPrecision(3));
}

/** A native range input under its label, with the value written out.
 *  `text(value)` is what is shown and read aloud; `oninput` gets a number. */
export function slider(label, { min = 0, max, step = 1, text = String, oninput }) {
  const id = uniqueId("slider");
  const input = h("input", { type: "range", id, min, max, step, "aria-label": label });
  const output = h("output", { for: id, "aria-live": "off" }); // the slider itself reads its value aloud
  // "for" is needed: without it the label would belong to its first labelable child, the output
  const node = h("label", { class: "sx-slider", for: id }, h("span", {}, label), output, input);
  const show = () => {
    output.textContent = text(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
    const span = Number(input.max) - Number(input.min);
    const done = span > 0 ? (Number(input.value) - Number(input.min)) / span : 0;
    input.style.setProperty("--sx-done", `${100 * done}%`);
  };
  input.addEventListener("input", () => {
    show();
    oninput(Number(input.value));
  });
  const set = (value, limits = {}) => {
    if (limits.max !== undefined) input.max = limits.max;
    if (limits.min !== undefined) input.min = limits.min;
    input.disabled = Number(input.max) <= Number(input.min);
    input.value = value;
    show();
  };
  return { node, input, set };
}

/** One of a few named options as native radio buttons. */
export function choice(label, options, onchange) {
  const name = uniqueId("choice");
  const inputs = options.map(([value]) => h("input", { type: "radio", name, value, onchange: () => onchange(value) }));
  const node = h(
    "fieldset",
    { class: "sx-choice" },
    h("legend", {}, label),
    h("div", {}, ...options.map(([, text], i) => h("label", {}, inputs[i], h("span", {}, text)))),
  );
  return {
    node,
    set: (value) =>
      inputs.forEach((input) => {
        input.checked = input.value === value;
      }),
  };
}

/** A push button; `does` says more than its text, in a tooltip. */
export function button(text, onclick, does) {
  return h("button", { type: "button", class: "sx-button", onclick, title: does }, text);
}

/** A button that walks: `advance(again)` is called at a pace [ms] until `ended()`, `again` where it
 *  had ended before. Returns the button and `pause`. */
export function player(text, does, pace, ended, advance) {
  let timer = 0;
  function pause() {
    clearInterval(timer);
    timer = 0;
    node.textContent = text;
  }
  const node = button(
    text,
    () => {
      if (timer) return pause();
      advance(ended());
      node.textContent = "Pause";
      timer = setInterval(() => (ended() ? pause() : advance(false)), pace);
    },
    does,
  );
  return { node, pause };
}

/** A part of the explorer: a heading, a line that says what to see, and its content. */
export function panel(title, hint, ...content) {
  return h(
    "section",
    { class: "sx-panel" },
    h("h4", {}, title),
    ...(hint ? [h("p", { class: "sx-hint" }, hint)] : []),
    ...content,
  );
}

/** Whether the page around `node` is dark: the site, JupyterLab, VS Code, Colab, else the system. */
export function isDark() {
  const page = document.documentElement,
    body = document.body;
  const named = page.dataset.theme ?? page.getAttribute("theme") ?? body.dataset.theme;
  if (named === "dark" || named === "light") return named === "dark";
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  if (body.className.includes("vscode-")) return /vscode-(dark|high-contrast(?!-light))/.test(body.className);
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

/** The explorer's frame in `el`: follows the page's theme and calls `draw` at most once a frame,
 *  after `redraw()`, a change of width or of theme. `stop()` ends all of it, and before that calls
 *  what was handed to `onStop`: what else goes on in the view. */
export function frame(el, name, draw) {
  const root = h("div", { class: `sx sx-${name}` }),
    endings = [];
  let pending = 0,
    width = 0;
  const redraw = () => {
    pending ||= requestAnimationFrame(() => {
      pending = 0;
      if (root.clientWidth > 0) draw();
    });
  };
  const theme = () => {
    root.dataset.sxTheme = isDark() ? "dark" : "light";
    redraw();
  };
  const resized = new ResizeObserver(() => {
    if (Math.abs(root.clientWidth - width) < 1) return;
    width = root.clientWidth;
    root.classList.toggle("sx-narrow", width < 560);
    redraw();
  });
  const themed = new MutationObserver(theme);
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const watched = { attributes: true, attributeFilter: ["data-theme", "theme", "class", "data-jp-theme-light"] };
  themed.observe(document.documentElement, watched);
  themed.observe(document.body, watched);
  system.addEventListener("change", theme);
  resized.observe(root);
  el.append(root);
  theme();
  const stop = () => {
    endings.forEach((end) => end());
    cancelAnimationFrame(pending);
    resized.disconnect();
    themed.disconnect();
    system.removeEventListener("change", theme);
    root.remove();
  };
  return { root, redraw, stop, onStop: (end) => endings.push(end) };
}

/** The current value of a colour variable, as "#rrggbb". */
export function colour(root, variable) {
  return getComputedStyle(root).getPropertyValue(variable).trim();
}

/** What the reader has set: each trait of `values` on the model, told to the kernel at once. A view that follows its traits
 *  (`linkedView`) is drawn anew by each that is another than before. */
export function setTraits(model, values) {
  for (const [trait, value] of Object.entries(values)) model.set(trait, value);
  model.save_changes();
}

/** The one sentence that says what is shown; read aloud when it changes. */
export function summary() {
  return h("p", { class: "sx-verdict", "aria-live": "polite", role: "status" });
}

/** Write `text` unless it is already there, so that nothing is read aloud twice. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Little-endian float32 of a synced trait. */
export function floats(view) {
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}
