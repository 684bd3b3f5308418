"""The pair learner that trains in the page: against torch and against the study's measures; its
controls by keyboard."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from browsing import Run, Show, until_answered, until_no_worker
from playwright.sync_api import Page

from synthcore.explorers.base import Explorer
from synthcore.explorers.pair_training import PairTrainingExplorer, stream
from synthcore.studies.percolation import theory
from synthcore.studies.percolation.measure.masses import Kinds, masses
from synthcore.studies.percolation.task.vocabulary import Classes, ConstraintGraph

pytestmark = pytest.mark.browser

UPDATES = 200
CASES = {
    "default": {"entities": 32, "properties": 256, "classes": 4, "density": 0.25, "batch": 32},
    "sparse": {"entities": 16, "properties": 64, "classes": 8, "density": 0.1, "batch": 16},
    "fast": {"entities": 24, "properties": 128, "classes": 2, "density": 0.6, "batch": 64,
             "rate": 0.02, "seed": 7},
}  # fmt: skip


def settings(name: str) -> dict[str, Any]:
    return {"rate": 0.003, "seed": 3, **CASES[name]}


@pytest.fixture(scope="module")
def module(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(PairTrainingExplorer())


def edges_of(given: dict[str, Any]) -> list[list[int]]:
    names = ("entities", "properties", "classes", "density", "seed")
    return stream.constraint_edges(**{name: given[name] for name in names})


def trained(given: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """u and v of torch after `UPDATES` updates, float64."""
    start = stream.initial_tables(given["entities"], given["properties"], given["seed"])
    u, v = (torch.tensor(table).requires_grad_() for table in start)
    optimizer = torch.optim.AdamW([u, v], lr=given["rate"], betas=(0.9, 0.95), weight_decay=0.0)
    for rows in stream.pairs(edges_of(given), UPDATES, given["batch"], given["seed"]):
        entity, chosen = torch.from_numpy(rows).T
        loss = torch.nn.functional.cross_entropy(u[entity] @ v.T, chosen)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return u.detach(), v.detach()


def in_worker(module: Run, given: dict[str, Any], asks: list[int]) -> dict[str, Any]:
    """What a worker answers to several requests in turn."""
    found: dict[str, Any] = module(
        """new Promise((done) => {
            const seen = [];
            let left = asks.length;
            const worker = $.trainingWorker((answer) => {
                seen.push(...answer.seen);
                if (--left) return;
                worker.stop();
                done({ seen, u: Array.from(answer.u), v: Array.from(answer.v), made: answer.made,
                       run: answer.run, inPage: worker.inPage });
            });
            asks.forEach((count, i) =>
                worker.ask({ run: 5, settings: i ? undefined : given, count }));
        })""",
        given=given,
        asks=asks,
    )
    return found


@pytest.mark.parametrize("name", list(CASES))
def test_the_worker_trains_what_torch_trains(module: Run, name: str) -> None:
    given = settings(name)
    found = in_worker(module, given, [1, 60, UPDATES - 61])
    assert not found["inPage"]
    assert (found["run"], found["made"]) == (5, UPDATES)
    u, v = trained(given)
    np.testing.assert_allclose(np.reshape(found["u"], u.shape), u, atol=1e-5)
    np.testing.assert_allclose(np.reshape(found["v"], v.shape), v, atol=1e-5)
    assert float(u.abs().max()) > 0.1  # it has moved
    # what the page measures is what the study measures
    classes = Classes(given["classes"], given["entities"], given["properties"])
    shown = torch.zeros(given["entities"], given["properties"], dtype=torch.bool)
    for e, row in enumerate(edges_of(given)):
        shown[e, row] = True
    kinds = Kinds.of([ConstraintGraph(classes, shown)])
    expected = masses((u @ v.T).softmax(-1)[None], kinds)
    at, of_class, on_edges, odds, joined, seen = found["seen"][-1]
    assert at == UPDATES
    assert of_class == pytest.approx(float(expected["class_mass"]), abs=1e-6)
    assert on_edges == pytest.approx(float(expected["edge_mass"]), abs=1e-6)
    assert odds == pytest.approx(float(expected["odds"]), abs=1e-5)
    drawn = stream.pairs(edges_of(given), UPDATES, given["batch"], given["seed"]).reshape(-1, 2)
    distinct = np.unique(drawn, axis=0)
    assert seen == pytest.approx(len(distinct) / int(shown.sum()))
    labels = theory.components(given["entities"], given["properties"], distinct)
    own = labels[: given["entities"], None] == labels[None, given["entities"] :]
    same = classes.same.numpy()
    assert joined == pytest.approx((own & same).sum() / same.sum())


@pytest.mark.parametrize("name", list(CASES))
def test_the_prediction_is_that_of_the_theory(module: Run, name: str) -> None:
    given = settings(name)
    names = ("entities", "properties", "classes", "density")
    mentions = theory.critical_mentions(*(given[key] for key in names))
    found = module("$.percolates(given)", given=given)
    if np.isnan(mentions):
        assert found is None or found > 1e300
    else:
        assert found == pytest.approx(mentions / given["batch"], rel=1e-9)


def test_onsets_and_peaks_are_read_off(module: Run) -> None:
    """A level that is passed for good between two rows, in log time; the peak of what is never
    shown."""
    rows = [[1, 0.25, 0.06, 0, 0, 0], [10, 0.5, 0.1, 0, 0.2, 0], [100, 0.9, 0.2, 0, 1, 1],
            [1000, 1.0, 0.9, 0, 1, 1]]  # fmt: skip
    found = module(
        "$.readOff({ rows, settings: { classes: 4 } })",
        rows=rows,
    )
    assert found["onset"] == pytest.approx(10**0.5)  # half way from .25 to .5
    assert found["peak"] == {"at": 100, "share": pytest.approx(0.7)}
    assert module("$.reachedAt(rows, (row) => row[1], 2)", rows=rows) is None


# ----------------------------------------------------------------------- controls


def press(page: Page, name: str, key: str = "Enter") -> None:
    page.get_by_role("button", name=name, exact=True).focus()
    page.keyboard.press(key)


def made(page: Page) -> int:
    return int(page.locator(".sx-count").inner_text().split(" of ")[0].replace("\u202f", ""))


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_train_pause_step_restart_by_keyboard(size: str, shown: Show) -> None:
    with shown(PairTrainingExplorer(16, 64), size) as (page, wrong):
        assert page.get_by_role("button", name="Restart").is_disabled()
        press(page, "Train")
        page.wait_for_function("document.querySelector('.sx progress').value > 0.02")
        press(page, "Pause")
        until_answered(page)
        here, asked = made(page), page.evaluate("asked")
        page.evaluate("later(300)")
        assert made(page) == here > 0
        assert page.evaluate("asked") == asked
        press(page, "One update", " ")
        page.wait_for_function(
            f"document.querySelector('.sx-count').textContent.startsWith('{here + 1} of')"
        )
        press(page, "Restart")
        assert made(page) == 0
        page.emulate_media(reduced_motion="reduce")  # the rest at one go
        press(page, "Train")
        page.get_by_role("button", name="Train again").wait_for()
        said = page.locator(".sx-verdict").inner_text()
        assert "The class is noticed at update" in said
        assert "never-shown" in said
        slider = page.get_by_label("Properties |K|")
        slider.focus()
        page.keyboard.press("ArrowRight")
        press(page, "Train")
        page.get_by_role("button", name="Train again").wait_for()
        assert "to the power" in page.locator(".sx-tally").inner_text()
        assert page.evaluate("overlaps()") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for bad in ("NaN", "Infinity", "undefined"):
            assert bad not in page.locator(".sx").inner_text()
    assert wrong == []


def test_closed_while_it_trains(shown: Show) -> None:
    with shown(PairTrainingExplorer()) as (page, wrong):
        press(page, "Train")
        page.wait_for_function("document.querySelector('.sx progress').value > 0.02")
        assert len(page.workers) == 1
        page.evaluate("unmount()")
        until_no_worker(page)
        assert page.locator("#stage").inner_html() == ""
        assert page.evaluate("Object.values(model.handlers).flat().length") == 0
    assert wrong == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_settings_by_keyboard_and_mouse(size: str, theme: str, shown: Show) -> None:
    with shown(PairTrainingExplorer(), size, theme) as (page, wrong):
        sliders = page.locator("input[type=range]").all()
        assert len(sliders) == 5
        for slider in sliders:
            slider.focus()
            states = []
            for key in ("Home", "ArrowRight", "End"):
                page.keyboard.press(key)
                states.append(page.evaluate("drawn()"))
            box = slider.bounding_box()
            assert box is not None
            for across in (0.1, 0.6):
                slider.click(position={"x": across * box["width"], "y": box["height"] / 2})
                states.append(page.evaluate("drawn()"))
            label = slider.evaluate("e => e.closest('label').textContent")
            assert all(a != b for a, b in pairwise(states)), label
            assert str(slider.get_attribute("aria-valuetext")) in label
        [group] = page.locator("fieldset").all()
        options = group.locator("input[type=radio]").all()
        options[0].check(force=True)
        options[0].focus()
        for option in options[1:]:
            before = page.evaluate("model.get('classes')")
            page.keyboard.press("ArrowRight")
            page.evaluate("settled()")
            assert option.is_checked()
            assert page.evaluate("model.get('classes')") != before
        assert page.evaluate("overlaps()") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('.sx input, .sx button, .sx progress')]
                .filter((e) => !e.ariaLabel && !e.textContent && !e.labels.length).length"""
        )
        assert nameless == 0
        module, style = PairTrainingExplorer._esm, PairTrainingExplorer._css
        assert not re.search(r"^\s*import\b|\bfetch\(", str(module), re.MULTILINE)
        assert "url(" not in str(style)
    assert wrong == []
