// The four predictors of the next symbol of a Markov chain: names, two-letter codes (colour is never
// the only cue) and what each does. Retrieval is warm, inference is cold.

export const ALGORITHMS = [
  { name: "Uni-Ret", code: "UR", colour: "--sx-uni-ret", does: "looking up the chain by its symbols" },
  { name: "Bi-Ret", code: "BR", colour: "--sx-bi-ret", does: "looking up the chain by its transitions" },
  { name: "Uni-Inf", code: "UI", colour: "--sx-uni-inf", does: "counting symbols" },
  { name: "Bi-Inf", code: "BI", colour: "--sx-bi-inf", does: "counting bigrams" },
];
