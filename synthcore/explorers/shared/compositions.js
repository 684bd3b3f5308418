// Compositions of functions on words. Pure functions, no drawing.
// A composition is L pairs [d, i]: position l applies function i of position d's own set, 0 being the
// identity. Letters: L positions, F functions of a position, A symbols, K word length.

/** A1, A2 ... for the functions of position 1, B1 ... for position 2; A0 is an identity. */
export function functionName([d, i]) {
  return `${String.fromCharCode(65 + d)}${i}`;
}

/** [x, f1(x), f2(f1(x)) ...]: L + 1 words. */
export function chain(tables, composition, word) {
  const out = [word];
  for (const [d, i] of composition) out.push(out[out.length - 1].map((a) => tables[d][i][a]));
  return out;
}

/** k functions that are no identity, m of them displaced. */
export function label(composition) {
  const active = composition.map(([, i]) => i > 0);
  return { k: active.filter(Boolean).length, m: composition.filter(([d], l) => active[l] && d !== l).length };
}

/** The table of the whole composition, as a key: equal keys are the same function. */
export function functionKey(tables, composition) {
  const symbols = tables[0][0].map((_, a) => a);
  return chain(tables, composition, symbols)[composition.length].join(",");
}

/** All [d, i] that send every symbol of `before` to the one of `after`; identities only as [0, 0]. */
export function explains(tables, before, after) {
  const out = [];
  tables.forEach((own, d) =>
    own.forEach((table, i) => {
      if ((i > 0 || d === 0) && before.every((a, j) => table[a] === after[j])) out.push([d, i]);
    }),
  );
  return out;
}

/** Block and slot (from 1) of the first symbol that differs from the true chain; null if none does. */
export function firstError(truth, blocks, first = 1) {
  for (let b = 0; b < blocks.length; b++)
    for (let j = 0; j < blocks[b].length; j++) if (blocks[b][j] !== truth[first + b][j]) return { block: first + b, slot: j + 1 };
  return null;
}

/** "A1, B2 and C1" */
export function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

/** What a wrong block looks like: the functions that would have given it, in words; "" if none. */
export function mistaken(tables, composition, block, before, after) {
  const [d, i] = composition[block - 1],
    found = explains(tables, before, after).filter(([e, j]) => e !== d || j !== i);
  if (!found.length) return "No single function of the tables gives what it wrote.";
  const own = found.find(([e, j]) => e === block - 1 && j === i);
  const which = listed(found.map(functionName));
  if (own && d !== block - 1) return `It applied ${functionName(own)} instead: the function of the same number that belongs to this position.`;
  return `It wrote what ${which} would give.`;
}
