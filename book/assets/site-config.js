// ipywidgets calls MathJax 2's Hub.Queue; give MathJax 3 that call, else every HTML widget raises an error.
window.addEventListener("load", function () {
  if (!window.MathJax || window.MathJax.Hub) return;
  window.MathJax.Hub = {
    Queue: function (job) {
      if (!job || job[0] !== "Typeset") return;
      window.MathJax.startup.promise.then(function () {
        job[2].classList.add("mathjax_process");
        return window.MathJax.typesetPromise([job[2]]);
      });
    },
  };
});

// Wide tables scroll inside their own box, so that a phone never scrolls the page sideways; some figures do so too.
// A box that scrolls must be reachable by keyboard, also after the window has changed.
window.addEventListener("DOMContentLoaded", function () {
  document.querySelectorAll("article table").forEach(function (table) {
    if (table.closest(".table-scroll, .pst-scrollable-table-container, .jupyter-widgets")) return;
    const box = document.createElement("div");
    box.className = "table-scroll";
    table.replaceWith(box);
    box.appendChild(table);
  });
  const reach = new ResizeObserver(function (entries) {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll(".table-scroll, article figure, article div.math, .pst-scrollable-table-container, article pre").forEach(function (box) {
    reach.observe(box);
  });
});

// What the theme leaves to be guessed: buttons are called what is written on them, and what opens is called something.
window.addEventListener("DOMContentLoaded", function () {
  const all = (selector, change) => document.querySelectorAll(selector).forEach(change);
  all(".search-button-field, summary[aria-label='Toggle hidden content']", (e) => e.removeAttribute("aria-label"));
  all(".theme-switch-button [title]", (e) => e.removeAttribute("title"));
  all("nav summary:not([aria-label])", function (summary) {
    summary.setAttribute("aria-label", "Pages below " + summary.closest("li").querySelector("a").textContent.trim());
  });
});
