// Training away from the page: a worker whose text is made of the functions of network.js, so that it needs no file and no
// network and works from a folder too. One request at a time: how many updates to make.

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

export const WORKER_TEXT = [
  ...[generator, normals, constraintEdges, initialTables, isLook, pairTrainer, answerRequests].map(String),
  "const request = answerRequests((answer) => postMessage(answer));",
  "onmessage = (event) => request(event.data);",
].join("\n");

/** { ask, stop }: a worker, or where a page may not have one the same work in the page, after what is now under way. */
export function trainingWorker(answer) {
  try {
    const address = URL.createObjectURL(new Blob([WORKER_TEXT], { type: "text/javascript" })),
      worker = new Worker(address);
    worker.onmessage = (event) => answer(event.data);
    return {
      inPage: false,
      ask: (request) => worker.postMessage(request),
      stop: () => {
        worker.terminate();
        URL.revokeObjectURL(address);
      },
    };
  } catch {
    let stopped = false;
    const request = answerRequests((found) => stopped || answer(found));
    return { inPage: true, ask: (asked) => setTimeout(request, 0, asked), stop: () => (stopped = true) };
  }
}
