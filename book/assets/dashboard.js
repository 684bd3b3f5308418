// The claims page: filters over a table that is complete without them. The address may preset them: claims.html?study=percolation
(function () {
  function start() {
    const form = document.getElementById("claim-filters");
    if (!form) return;
    const fields = ["study", "verdict", "scale", "words"];
    const asked = new URLSearchParams(location.search);
    for (const name of fields) if (asked.has(name)) form.elements[name].value = asked.get(name);
    const tables = [...document.querySelectorAll("table.dashboard")];
    const say = form.querySelector("output");

    function apply() {
      const [study, verdict, scale, words] = fields.map((name) => form.elements[name].value);
      const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
      let lines = 0, claims = 0;
      for (const table of tables) {
        let here = 0;
        for (const claim of table.tBodies) {
          const text = claim.textContent.toLowerCase();
          const told = (!study || table.dataset.study === study) && wanted.every((word) => text.includes(word));
          let left = 0;
          for (const row of claim.querySelectorAll("tr[data-verdict]")) {
            const fits = told && (!verdict || row.dataset.verdict === verdict) && (!scale || row.dataset.scale === scale);
            row.hidden = row.nextElementSibling.hidden = !fits;  // with what it rests on
            left += fits;
          }
          claim.hidden = !left;
          lines += left;
          here += left > 0;
        }
        claims += here;
        table.closest("section").hidden = !here;
      }
      say.textContent = lines ? `${claims} claims, ${lines} verdicts` : "No claim fits.";
    }

    form.addEventListener("input", apply);
    form.addEventListener("reset", () => setTimeout(apply));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
