// A view that can be linked: what the reader has set stands in the address of the page, "#adam.1:beta=0.95,stream=dying".

/** Readers of one value of an address; undefined for what it may not be. Lists are written with "+". */
export const numberIn = (least, most) => (text) => (text !== "" && +text >= least && +text <= most ? +text : undefined);
export const wholeIn = (least, most) => (text) => (Number.isInteger(+text) ? numberIn(least, most)(text) : undefined);
/** A place in a list: 0 is its first. */
export const placeIn = (list) => wholeIn(0, list.length - 1);
export const oneOf = (values) => (text) => values.find((value) => encodeURIComponent(value) === text);
export const either = (first, second) => (text) => first(text) ?? second(text);
export const listOf = (read, least, most = least) => (text) => {
  const values = text === "" ? [] : text.split("+").map((part) => read(part));
  return values.length >= least && values.length <= most && !values.includes(undefined) ? values : undefined;
};
/** Rows of `width` values each, written one behind the other. */
export const rowsOf = (read, width, least, most = least) => (text) => {
  const values = listOf(read, width * least, width * most)(text) ?? [undefined];
  return values.length % width || values.includes(undefined)
    ? undefined
    : Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));
};

const ours = (part) => /^[a-z-]+\.\d+:/.test(part);
const parts = () => location.hash.slice(1).split(";").filter(ours);

/** Begins with what the address says of `name` and writes there what the reader changes from then on.
 *
 *  `name` ends in a version, "adam.1", which rises when old links no longer mean what they meant. `readers` has for each trait of
 *  `model` what reads it. A link is followed whole or not at all: not where a value is missing or refused, nor where `fits(values)`
 *  says that they do not go together. Explorers of one page share its address. Only pages of the book: the address of a notebook
 *  is not ours. Returns a function that stops it. */
function addressed({ model, el }, name, readers, fits = () => true) {
  if (document.documentElement.dataset.content_root === undefined) return () => {};
  const traits = Object.keys(readers),
    own = (part) => part.startsWith(`${name}:`),
    events = traits.map((trait) => `change:${trait}`);
  let timer = 0;
  function read() {
    const part = parts().find(own);
    if (part === undefined || part === written()) return;
    const said = new Map(part.slice(name.length + 1).split(",").map((item) => item.split("="))),
      values = Object.fromEntries(traits.map((trait) => [trait, said.has(trait) ? readers[trait](said.get(trait)) : undefined]));
    if (Object.values(values).includes(undefined) || !fits(values)) return;
    setTraits(model, values);
    el.scrollIntoView();
  }
  const written = () => `${name}:${traits.map((trait) => `${trait}=${[model.get(trait)].flat(2).map(encodeURIComponent).join("+")}`).join(",")}`;
  function write() {
    clearTimeout(timer); // a browser refuses an address that changes with every pixel of a slider
    timer = setTimeout(() => {
      history.replaceState(history.state, "", `#${[...parts().filter((part) => !own(part)), written()].join(";")}`);
    }, 250);
  }
  read();
  window.addEventListener("hashchange", read);
  events.forEach((event) => model.on(event, write));
  return () => {
    clearTimeout(timer);
    window.removeEventListener("hashchange", read);
    events.forEach((event) => model.off?.(event, write));
  };
}

/** A `view` that is drawn anew when a trait of `readers` changes, and `addressed`. Returns a function that ends both and the view. */
export function linkedView({ model, el }, view, name, readers, fits) {
  const linked = addressed({ model, el }, name, readers, fits),
    events = Object.keys(readers).map((trait) => `change:${trait}`);
  events.forEach((event) => model.on(event, view.redraw));
  return () => {
    linked();
    events.forEach((event) => model.off?.(event, view.redraw));
    view.stop();
  };
}
