"""What an analysis found, as one HTML page that needs nothing else, and as JSON.

The page colours every token by the probability that the outcomes change after it, draws the outcome
bands along the text, and lists the tokens at which another choice would have mattered.
"""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from synthcore.changepoints import Posterior, dirichlet_multinomial, posterior
from synthcore.changepoints.posterior import MIN_LENGTH
from synthcore.studies.forking_paths.figures.texts import OUTCOMES
from synthcore.studies.forking_paths.measure import paths as measured
from synthcore.studies.forking_paths.measure.analysis import FPA, OTHER, SHARE

STYLE = """
:root { color-scheme: light dark; --ink: #1f2630; --soft: #59636f; --paper: #fff; --line: #d5dae0; --fork: #b3541e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --soft: #a3adb9; --paper: #14181e; --line: #3a424d; --fork: #ff9a62; } }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.text { padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 6px; white-space: pre-wrap; line-height: 1.9; }
.text span { border-radius: 3px; padding: 2px 0; }
.prompt { color: var(--soft); white-space: pre-wrap; max-height: 12rem; overflow: auto; }
svg { width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; } td, th { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }
.key span { display: inline-block; width: 1em; height: .8em; margin: 0 .35em 0 1em; }
"""  # noqa: E501
WIDTH, HEIGHT, LOW, LEFT = 900, 190, 70, 42


@dataclass(frozen=True)
class Findings:
    """One question's analysis, and what it cannot say."""

    run: FPA
    eps: float = 0.6

    @cached_property
    def posterior(self) -> Posterior:
        """Of change points, exact."""
        return posterior(dirichlet_multinomial(self.run.paths().pseudo))

    @cached_property
    def o_t(self) -> torch.Tensor:
        """Outcome shares (T, K)."""
        return self.run.paths().o_t[0, :, : len(self.run.outcomes)]

    @cached_property
    def caused(self) -> list[float]:
        """P(outcomes change after token t)."""
        return [*self.posterior.p_tau[0, 1:].tolist(), 0.0]

    @property
    def caveat(self) -> str:
        """Why there is little or nothing to be found in these completions; empty if there may be.

        Three cases: every completion has the same outcome; no outcome is frequent anywhere, so that
        all are counted as one; the answer is too short for two segments.
        """
        run, least = self.run, 2 * MIN_LENGTH
        if run.outcomes == (OTHER,):
            return (
                f"No outcome has a share above {SHARE:g} at any token: answers are too varied to "
                "say whether they change."
            )
        if len(run.outcomes) == 1:
            return f"All {run.counts.sum():,} completions have one outcome, {run.outcomes[0]!r}."
        if len(run.tokens) < least:
            return (
                f"The greedy answer has {len(run.tokens)} tokens. A change needs {MIN_LENGTH} on "
                f"each side, so that none can be seen in fewer than {least}."
            )
        return ""

    @property
    def p_change(self) -> float | None:
        """P(the outcomes change along the text); None where all outcomes are `OTHER`."""
        return None if self.run.outcomes == (OTHER,) else float(self.posterior.any[0])

    def sentence(self) -> str:
        """What was found, in a sentence or two."""
        about = self.summary()
        mode = max(range(len(about["p_m"])), key=about["p_m"].__getitem__)
        change = ""
        if about["p_change"] is not None:
            change = (
                f"P(the outcomes change along the text) = {about['p_change']:.2f}; {mode} change "
                f"point{'' if mode == 1 else 's'} most probable. "
            )
        survived = (
            f"Survival at distance {self.eps:g}: {about['survival']:.2f}; "
            f"{about['survival_by_noise']:.2f} if no token mattered."
        )
        return f"{about['caveat']} {change}{survived}".strip()

    def summary(self) -> dict[str, Any]:
        """The numbers of the page, ready for JSON."""
        paths = self.run.paths()
        survived = float(measured.survival(paths, self.eps)[0, -1])
        by_noise = measured.survival_by_noise(paths, self.eps)[:, 0, -1]
        return {
            "tokens": len(self.run.tokens),
            "branches": len(self.run.t),
            "completions": int(self.run.counts.sum()),
            "outcomes": list(self.run.outcomes),
            "first": self.o_t[0].tolist(),
            "last": self.o_t[-1].tolist(),
            "caveat": self.caveat,
            "p_change": self.p_change,
            "p_m": self.posterior.p_m[0].tolist(),
            "eps": self.eps,
            "survival": survived,
            "survival_by_noise": float(by_noise.mean()),
        }

    def to_json(self) -> str:
        """Summary, counts of the prompt alone (null if none were asked for), and every branch:
        position, token, probability, counts.
        """
        run = self.run
        rows = zip(run.t, run.token, run.p, run.is_base, run.counts, strict=True)
        branches = [
            {"t": int(t), "token": w, "p": float(p), "base": bool(b), "counts": c.tolist()}
            for t, w, p, b, c in rows
        ]
        content = {
            "summary": self.summary(),
            "text": list(run.tokens),
            "p_tau": self.posterior.p_tau[0].tolist(),
            "start": None if run.start is None else run.start.tolist(),
            "branches": branches,
        }
        return json.dumps(content, ensure_ascii=False, indent=1)

    def to_html(self, model: str, counted: str) -> str:
        """The page; `counted` says what was asked for."""
        run, sentence = self.run, self.sentence()
        spans = "".join(
            f'<span title="position {t}: {100 * p:.0f} %" style="background: color-mix(in srgb, '
            f'var(--fork) {100 * min(p, 1):.0f}%, transparent)">{html.escape(token)}</span>'
            for t, (token, p) in enumerate(zip(run.tokens, self.caused, strict=True))
        )
        keys = "".join(
            f'<span style="background: {_colour(run, k)}"></span>{html.escape(name)}'
            for k, name in enumerate(run.outcomes)
        )
        return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Forking paths: {html.escape(model)}</title><style>{STYLE}</style>
<h1>Where this text makes up its mind</h1>
<p>{html.escape(sentence)}</p>
<h2>Prompt</h2><div class="prompt">{html.escape(run.prompt)}</div>
<h2>Greedy answer; the redder a token, the more probable a change after it</h2>
<div class="text">{spans}</div>
<h2>Outcomes if the text went on from here, and where they change</h2>
{self._drawing()}
<p class="key">{keys}</p>
<h2>Tokens that could have changed it</h2>
{self._table()}
<p>Model {html.escape(model)}; {html.escape(counted)}. Change points: exact Dirichlet-multinomial segmentation, segments of
{MIN_LENGTH} tokens at least. Outcomes that never exceed a share of 0.1 are in {OTHER}.</p>
</html>
"""  # noqa: E501

    def _drawing(self) -> str:
        T, bottom = len(self.run.tokens), HEIGHT + 16 + LOW
        step = (WIDTH - LEFT) / T
        parts = []
        for t, (row, p) in enumerate(zip(self.o_t, self.posterior.p_tau[0], strict=True)):
            x, top = LEFT + t * step, 1.0
            for k, share in enumerate(row.tolist()):
                parts.append(
                    _bar(x, HEIGHT * (1 - top), step, HEIGHT * share, _colour(self.run, k))
                )
                top -= share
            parts.append(_bar(x, bottom - LOW * float(p), step, LOW * float(p), "var(--fork)"))
            if t % max(1, T // 10) == 0:
                parts.append(_word(x + step / 2, bottom + 14, str(t), "middle"))
        for y, text in ((10, "1"), (HEIGHT, "0"), (bottom - LOW + 8, "1"), (bottom, "0")):
            parts.append(_word(LEFT - 6, y, text, "end"))
        parts += [_word(0, HEIGHT / 2, "share"), _word(0, bottom - LOW / 2, "P(τ)")]
        label = "Outcome shares by token position as stacked bands; below, probability of a change."
        box = f'viewBox="0 0 {WIDTH} {bottom + 20}" role="img" aria-label="{label}"'
        return f"<svg {box}>{''.join(parts)}</svg>"

    def _table(self, most: int = 12) -> str:
        run = self.run
        far = measured.apart(run.paths())[0, run.t, run.w].numpy()
        order = sorted(np.flatnonzero(~run.is_base), key=lambda i: -run.p[i] * far[i])[:most]
        rows = [
            (
                str(run.t[i]),
                f"<code>{html.escape(run.tokens[run.t[i]])}</code>",
                f"<code>{html.escape(run.token[i])}</code>" if run.token[i] else "(end of text)",
                f"{100 * run.p[i]:.0f} %",
                f"{far[i]:.2f}",
                _likely(run, i),
            )
            for i in map(int, order)
        ]
        head = _row(("at", "written", "instead", "probability", "distance", "then"), "th")
        return f"<table>{head}{''.join(_row(row) for row in rows)}</table>"


def _row(cells: Sequence[str], kind: str = "td") -> str:
    return f"<tr>{''.join(f'<{kind}>{cell}</{kind}>' for cell in cells)}</tr>"


def _bar(x: float, y: float, width: float, height: float, fill: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width + 0.3:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{fill}"/>'


def _word(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _colour(run: FPA, k: int) -> str:
    return OUTCOMES[-1] if run.outcomes[k] == OTHER else OUTCOMES[k % (len(OUTCOMES) - 1)]


def _likely(run: FPA, i: int) -> str:
    """The most frequent outcome after a branch."""
    k = int(run.counts[i].argmax())
    share = run.counts[i, k] / max(int(run.counts[i].sum()), 1)
    return f"{html.escape(run.outcomes[k])} ({100 * share:.0f} %)"
