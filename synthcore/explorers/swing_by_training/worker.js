// Training away from the page. One request at a time: how many updates to make.

/** Answers requests: { run, settings } starts a network, { run, count } trains it; the answer is { run, seen, first, second },
 *  what `look()` said after each update and the weights after the last. */
function answerRequests(answer) {
  let network = null;
  return ({ run, settings, count }) => {
    if (settings) network = trainer(settings);
    if (count) answer({ run, seen: network.advance(count), first: network.first.slice(), second: network.second.slice() });
  };
}

export const WORKER_TEXT = workerText([generator, normals, initialWeights, trainingPoints, trainer, answerRequests]);

export const trainingWorker = (answer) => workerOf(WORKER_TEXT, answerRequests, answer);
