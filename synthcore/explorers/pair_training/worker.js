// Training away from the page. One request at a time: how many updates to make.

/** Answers requests: { run, settings } starts a learner, { run, count } trains it; the answer is { run, made, seen, u, v }. */
function answerRequests(answer) {
  let learner = null,
    made = 0;
  return ({ run, settings, count }) => {
    if (settings) [learner, made] = [pairTrainer(settings), 0];
    if (!count) return;
    const seen = learner.advance(count);
    made += count;
    answer({ run, made, seen, u: learner.u.slice(), v: learner.v.slice() });
  };
}

export const WORKER_TEXT = workerText([generator, normals, constraintEdges, initialTables, isLook, pairTrainer, answerRequests]);

export const trainingWorker = (answer) => workerOf(WORKER_TEXT, answerRequests, answer);
