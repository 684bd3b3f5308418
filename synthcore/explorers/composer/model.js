// A document of the step-by-step format, the network's greedy answer to it, and where it looked.
// Letters: L positions, F functions, A symbols, K word length. Token positions count from 0:
// begin, t1 .. tL, separator, x1 .. xK, separator, block 1, separator, block 2 ... block L.

/** Everything about the task that does not change. */
export function composerTask(model) {
  const tables = model.get("tables");
  return {
    tables,
    taskTokens: model.get("task_tokens"),
    separator: model.get("separator"),
    begin: model.get("begin"),
    L: tables.length,
    F: tables[0].length,
    A: tables[0][0].length,
    K: model.get("word").length,
    symbols: [...model.get("symbols")],
    trained: model.get("trained"),
  };
}

/** The tokens up to and including the separator after the word. */
export function promptTokens(task, composition, word) {
  const tasks = composition.map(([d, i]) => task.taskTokens[d][i]);
  return [task.begin, ...tasks, task.separator, ...word, task.separator];
}

/** Token position of slot j (from 0) in block b; block 0 is the word. */
export function placeOf({ L, K }, b, j) {
  return L + 2 + b * (K + 1) + j;
}

/** Row and column of a token position in the drawing: column -2 tasks, -1 separators, 0.. symbols. */
export function cellOf({ L, K }, p) {
  if (p <= L) return { row: p, column: -2 };
  const rest = p - L - 1;
  return { row: Math.floor(rest / (K + 1)), column: (rest % (K + 1)) - 1 };
}

/** Greedy answer: blocks of symbols (-1: no symbol), tokens, and for each symbol in the order in which
 *  they are written { probabilities (V), patterns: [block of the network][head][position] }. */
export function composerAnswer(gpt, task, composition, word) {
  const { L, K, A } = task,
    sequence = gpt.sequence(),
    tokens = promptTokens(task, composition, word);
  let now;
  for (const token of tokens) now = sequence.next(token);
  const written = [],
    blocks = [];
  for (let b = 1; b <= L; b++) {
    const block = [];
    for (let j = 0; j <= K && !(b === L && j === K); j++) {
      const token = now.logits.reduce((best, v, i) => (v > now.logits[best] ? i : best), 0);
      if (j < K) {
        written.push({ probabilities: softmax(now.logits), patterns: now.patterns });
        block.push(token < A ? token : -1);
      }
      tokens.push(token);
      if (b < L || j < K - 1) now = sequence.next(token);
    }
    blocks.push(block);
  }
  return { tokens, written, blocks };
}

/** exp(x) over its sum. */
export function softmax(logits) {
  const highest = logits.reduce((a, b) => Math.max(a, b)),
    out = logits.map((v) => Math.exp(v - highest)),
    total = out.reduce((a, b) => a + b, 0);
  return out.map((v) => v / total);
}

/** Attention by token position for one head "b.h" (counted from 0), or the mean of all for "mean". */
export function attention(patterns, which) {
  if (which !== "mean") {
    const [b, head] = which.split(".").map(Number);
    return patterns[b][head];
  }
  const all = patterns.flat();
  return all[0].map((_, p) => all.reduce((sum, one) => sum + one[p], 0) / all.length);
}

/** Attention of symbol n (from 1) on its task token, on the symbol to transform, and elsewhere. */
export function selection(task, weights, n) {
  const b = Math.ceil(n / task.K),
    j = (n - 1) % task.K,
    function_ = weights[b],
    symbol = weights[placeOf(task, b - 1, j)];
  return { b, j, task: function_, symbol, elsewhere: Math.max(1 - function_ - symbol, 0) };
}

/** What a cell of the answer is: "right", "wrong" (a wrong application), "carried" (a right application
 *  to a wrong symbol). */
export function judge(task, composition, truth, blocks, b, j) {
  if (blocks[b - 1][j] === truth[b][j]) return "right";
  const before = b === 1 ? truth[0][j] : blocks[b - 2][j],
    [d, i] = composition[b - 1];
  return before >= 0 && task.tables[d][i][before] === blocks[b - 1][j] ? "carried" : "wrong";
}

/** Whether the composition was trained, how the answer went, and where the newest symbol looked. */
export function composerVerdict(task, composition, word, answer, n, weights) {
  const { L, K, tables, symbols } = task,
    truth = chain(tables, composition, word),
    { m } = label(composition);
  const shown = (word_) => word_.map((a) => (a < 0 ? "·" : symbols[a])).join("");
  const key = functionKey(tables, composition);
  const names = composition.map(functionName).join(" · ");
  const known = task.trained.some((one) => functionKey(tables, one) === key);
  const trained = !task.trained.length
    ? ""
    : known
      ? ` This function is one of the ${number(task.trained.length)} trained.`
      : ` This function is not among the ${number(task.trained.length)} trained${m ? ` (${m} of its parts ${m > 1 ? "are" : "is"} displaced)` : ""}.`;
  const error = firstError(truth, answer.blocks);
  let how = `all ${L} blocks are right, from ${shown(word)} to ${shown(answer.blocks[L - 1])}.`;
  if (error) {
    const before = error.block === 1 ? word : answer.blocks[error.block - 2];
    const told = mistaken(tables, composition, error.block, before, answer.blocks[error.block - 1]);
    how = `the first error is in block ${error.block}, symbol ${error.slot}. ${told}`;
  }
  const look = selection(task, weights, n),
    share = (v) => `${Math.round(100 * v)} %`;
  return (
    `${names}: ${how}${trained} Writing symbol ${look.j + 1} of block ${look.b}, the network puts ${share(look.task)} of its attention ` +
    `on ${functionName(composition[look.b - 1])} and ${share(look.symbol)} on the symbol above, of ${L + 2 + look.b * (K + 1) + look.j} tokens.`
  );
}
