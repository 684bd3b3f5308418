// A text field for a few letters, which hands on only what can be read.

/** `read(text)` gives a value, or a sentence (a string) that says what is wrong; then the field is
 *  marked, the sentence shown, and nothing handed to `onvalue`. */
export function letterField(label, { maxlength, read, onvalue }) {
  const error = h("p", { class: "sx-error", role: "alert", id: uniqueId("error") });
  const input = h("input", {
    type: "text",
    class: "sx-letters",
    id: uniqueId("letters"),
    maxlength,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "none",
    "aria-describedby": error.id,
    oninput: () => {
      const found = read(input.value),
        wrong = typeof found === "string";
      complain(wrong ? found : "");
      if (!wrong) onvalue(found);
    },
  });
  function complain(sentence) {
    error.textContent = sentence;
    if (sentence) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
  let right = "";
  function show(text) {
    input.value = text;
    complain("");
  }
  const node = h("label", { class: "sx-field", for: input.id }, h("span", {}, label), input);
  return {
    node,
    input,
    error,
    /** Back to the last text that was right: what comes next may be the same, and is not drawn anew then. */
    clear: () => show(right),
    /** Show `text`, which is right, unless the reader is typing. */
    set: (text) => {
      right = text;
      if (document.activeElement !== input) show(text);
    },
  };
}
