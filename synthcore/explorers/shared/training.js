// A training that the reader watches: a worker, a clock, and the buttons Train, One update, Restart and Next seed.

/** The text of a worker made of functions, the last of which answers requests: it needs no file and no network, and works from a
 *  folder too. */
export function workerText(functions) {
  const answers = functions[functions.length - 1].name;
  return [
    ...functions.map(String),
    `const request = ${answers}((answer) => postMessage(answer));`,
    "onmessage = (event) => request(event.data);",
  ].join("\n");
}

/** { ask, stop }: a worker of that text, or where a page may not have one `answers` in the page, after what is now under way. */
export function workerOf(text, answers, answer) {
  try {
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" })),
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
    const request = answers((found) => stopped || answer(found));
    return { inPage: true, ask: (asked) => setTimeout(request, 0, asked), stop: () => (stopped = true) };
  }
}

/** A training of what `model` says, one run at a time.
 *
 *  `kind` knows the runs: `traits`, the names of their settings; `apart`, those by which runs that are compared may differ;
 *  `start(settings)`, a new run with an `id`; `worker(answer)`; `take(run, answer)`, what an answer adds to a run; `made(run)` and
 *  `updates(run)`, how many there are and will be; `ended(run)`; `pace(run)`, updates per second on the screen.
 *  `shown` draws them: `build(run)` what stays while a run trains, `refresh(run, playing)` what moves; `finish(run)` is told of
 *  every run that has ended, and `forget()` when the next can no longer be compared with them.
 *
 *  Returns the row of buttons, and `draw`, to be called whenever the page is drawn. It ends with the `view`.
 *  For readers who want less motion a run is computed at one go. */
export function trainingOf(model, view, kind, shown) {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let run = null,
    key = "", // of the settings that the run has
    family = "", // settings that it shares with the runs before
    worker = null,
    sent = 0, // the run that the worker knows
    waiting = false,
    playing = false,
    due = 0, // updates that the clock allows
    before = 0,
    ticking = 0;

  function ask(count) {
    const asked = Math.min(count, kind.updates(run) - kind.made(run));
    if (waiting || asked < 1) return;
    worker ??= kind.worker(receive);
    waiting = true;
    worker.ask({ run: run.id, settings: sent === run.id ? undefined : run.settings, count: asked });
    sent = run.id;
  }
  function receive(answer) {
    if (answer.run !== run.id) return; // of a run that was given up
    waiting = false;
    kind.take(run, answer);
    if (kind.ended(run)) {
      playing = false;
      shown.finish(run);
    }
    refresh();
  }
  function tick(now) {
    ticking = 0;
    if (!playing) return;
    due += (Math.min(now - before, 100) / 1000) * kind.pace(run);
    before = now;
    if (due >= 1 && !waiting) {
      ask(Math.floor(due));
      due -= Math.floor(due);
    }
    ticking = requestAnimationFrame(tick);
  }
  function play() {
    playing = true;
    if (calm.matches) ask(kind.updates(run));
    else if (!ticking) {
      due = 1;
      before = performance.now();
      ticking = requestAnimationFrame(tick);
    }
    refresh();
  }
  function pause() {
    playing = false;
    refresh();
  }
  const settingsNow = () => Object.fromEntries(kind.traits.map((name) => [name, model.get(name)]));
  /** A new run from the traits. An answer that is still on its way belongs to the old one. */
  function restart() {
    const settings = settingsNow();
    key = JSON.stringify(settings);
    run = kind.start(settings);
    waiting = false;
    due = 0;
    const shared = JSON.stringify({ ...settings, ...Object.fromEntries(kind.apart.map((name) => [name, 0])) });
    if (shared !== family) shown.forget();
    family = shared;
    build();
    if (playing && calm.matches) ask(kind.updates(run));
  }
  const train = button("Train", () => {
    if (playing) return pause();
    if (kind.ended(run)) restart();
    play();
  });
  train.classList.add("sx-primary");
  const step = button(
    "One update",
    () => {
      playing = false;
      ask(1);
      refresh();
    },
    "pause, and make a single update",
  );
  const again = button("Restart", () => restart(), "back to the start, with the same seed");
  const another = button(
    "Next seed",
    () => {
      playing = true;
      setTraits(model, { seed: (model.get("seed") + 1) % 100 });
      if (!calm.matches) play();
    },
    "train from other random numbers",
  );
  const bar = h("progress", { max: 1, value: 0, "aria-label": "updates made" }),
    count = h("span", { class: "sx-count" });

  function build() {
    shown.build(run);
    refresh();
  }
  function refresh() {
    const made = kind.made(run),
      all = kind.updates(run),
      ended = kind.ended(run);
    bar.value = made / all;
    say(count, `${number(made)} of ${number(all)} updates`);
    say(train, playing ? "Pause" : ended ? "Train again" : made ? "Go on" : "Train");
    step.disabled = ended;
    again.disabled = made === 0;
    shown.refresh(run, playing);
  }
  function draw() {
    if (JSON.stringify(settingsNow()) !== key) restart();
    else build();
  }

  view.onStop(() => {
    playing = false;
    cancelAnimationFrame(ticking);
    worker?.stop();
  });
  return { row: h("div", { class: "sx-actions" }, train, step, again, another, bar, count), draw };
}
