// A native list under its label.

/** `groups` is [[heading or "", [[value, text], ...]], ...]; `onchange` gets the value, a string. */
export function select(label, groups, onchange) {
  const id = uniqueId("select");
  const input = h("select", { id, class: "sx-select", "aria-label": label, onchange: () => onchange(input.value) });
  const option = ([value, text]) => h("option", { value }, text);
  for (const [heading, options] of groups)
    if (heading) input.append(h("optgroup", { label: heading }, ...options.map(option)));
    else input.append(...options.map(option));
  const node = h("label", { class: "sx-field", for: id }, h("span", {}, label), input);
  return {
    node,
    input,
    set: (value) => {
      input.value = value;
    },
  };
}
