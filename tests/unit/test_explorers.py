"""What crosses to the browser, what is refused, and colours that everybody can tell apart."""

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import traitlets

from synthcore.explorers.base import FOLDER, MAX_BYTES, Explorer, pack, unpack
from synthcore.explorers.lattice import LatticeExplorer
from synthcore.explorers.pair_training import PairTrainingExplorer
from synthcore.explorers.phase import PhaseExplorer
from synthcore.explorers.retrieval import RetrievalExplorer
from synthcore.explorers.swing_by import SwingByExplorer
from synthcore.explorers.swing_by_training import SwingByTrainingExplorer


def phase(**changes: Any) -> PhaseExplorer:
    """A 2 x 3 x 2 grid on which every number says where it belongs."""
    shape = (2, 3, 2)
    values = np.arange(12, dtype=float).reshape(shape) / 100
    weights = np.random.default_rng(0).dirichlet(np.ones(4), shape)
    arguments: dict[str, Any] = {
        "diversities": [4, 512],
        "steps": [0, 10, 100],
        "contexts": [1, 40],
        "weights": weights,
        "kl_id": values,
        "kl_ood": values + 1,
    }
    return PhaseExplorer(**{**arguments, **changes})


def test_arrays_cross_in_the_order_that_the_browser_reads() -> None:
    weights = np.random.default_rng(1).dirichlet(np.ones(4), (2, 3, 2))
    curve = np.array([[0.1, 0.2], [0.3, 0.4]])
    explorer = phase(weights=weights, references={"Bi-Inf": (curve, curve + 1)})
    np.testing.assert_allclose(unpack(explorer.weights, (2, 3, 2, 4)), weights, rtol=1e-6)
    kl = unpack(explorer.kl, (2, 2, 3, 2))  # ID, OOD
    np.testing.assert_allclose(kl[1] - kl[0], 1, rtol=1e-6)
    np.testing.assert_allclose(unpack(explorer.references, (1, 2, 2, 2))[0, 1], curve + 1)
    assert explorer.reference_names == ["Bi-Inf"]
    assert explorer.halfwidths == b""
    assert explorer.data_bytes == 4 * (12 * 4 + 2 * 12 + 2 * 4)


def test_big_endian_and_transposed_arrays_are_packed_in_c_order() -> None:
    array = np.arange(6, dtype=">f8").reshape(2, 3).T
    np.testing.assert_array_equal(unpack(pack(array), (3, 2)), array)


def test_missing_cells_and_intervals_are_nan() -> None:
    weights = np.full((2, 3, 2, 4), np.nan)
    half = np.full((2, 3, 2), 0.01)
    explorer = phase(weights=weights, kl_ood_halfwidth=half)
    halves = unpack(explorer.halfwidths, (2, 2, 3, 2))
    assert np.isnan(halves[0]).all()
    np.testing.assert_allclose(halves[1], 0.01)


def test_the_cursor_is_given_by_value_and_kept_by_index() -> None:
    assert phase(cursor=(512, 10, 1)).cursor == [1, 1, 0]
    assert phase().cursor == [1, 2, 1]
    with pytest.raises(ValueError, match="11 is not in steps"):
        phase(cursor=(512, 11, 1))
    with pytest.raises(traitlets.TraitError, match=r"below \[2, 3, 2\]"):
        phase().cursor = [2, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.ones((2, 3, 4))}, r"weights must have shape \(2, 3, 2, 4\)"),
        ({"weights": np.ones((2, 3, 2, 4))}, "distributions"),
        ({"kl_id": np.ones((3, 2))}, r"kl_id must have shape \(2, 3, 2\)"),
        ({"kl_ood": np.full((2, 3, 2), np.inf)}, "kl_ood must be finite"),
        ({"steps": [0, 100, 10]}, "steps must be ascending"),
        ({"contexts": []}, "contexts must be ascending"),
        ({"diversities": [0, 4]}, "diversities must be ascending integers from 1"),
        ({"references": {"Tri-Inf": (np.ones((2, 2)),) * 2}}, r"Tri-Inf"),
        ({"references": {"Bi-Inf": (np.ones(2), np.ones((2, 2)))}}, "references"),
    ],
)
def test_a_wrong_array_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        phase(**change)


def test_too_much_data_for_a_page_is_refused() -> None:
    shape = (10, 200, 20)
    with pytest.raises(ValueError, match=f"below {MAX_BYTES // 1000} kB"):
        PhaseExplorer(
            range(1, 11),
            range(200),
            range(1, 21),
            np.full((*shape, 4), 0.25),
            np.ones(shape),
            np.ones(shape),
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"states": 2}, "states must be between 3 and 5"),
        ({"chains": 1000}, "chains must be between 1 and 512"),
        ({"max_length": 1000}, "max_length must be between"),
        ({"context": "ABD"}, "only the letters ABC"),
        ({"context": "A" * 30, "max_length": 20, "length": 20}, "longer than 20"),
    ],
)
def test_a_wrong_size_or_letter_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RetrievalExplorer(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mu": (1.0,), "sigma": (0.1,)}, "one number for each of two or three concepts"),
        ({"mu": (1.0, 2.0, 3.0)}, r"got 3 and 2"),
        ({"mu": (0.1, 2.0)}, r"mu must be between 0.5 and 4"),
        ({"sigma": (-0.1, 0.05)}, r"sigma must be between 0 and 2"),
        ({"mu": (1.0, float("nan"))}, "mu must be between"),
        ({"omega": 0.0}, "omega must be between 0.0001 and 0.5"),
        ({"rho": 1.0}, r"rho must be between -0.99 and 0.99 for 2 concepts"),
        ({"mu": (1, 2, 3), "sigma": (0, 0, 0), "rho": -0.6}, r"between -0.49 and 0.99 for 3"),
        ({"clock": -1.0}, "clock must be between"),
    ],
)
def test_a_start_off_the_sliders_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SwingByExplorer(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"mu": (1, 2, 3)},
            r"mu must have one number for each of two concepts \(got \(1, 2, 3\)\)",
        ),
        ({"mu": (1, 5)}, r"mu must be between 0.5 and 4 \(got \(1, 5\)\)"),
        ({"sigma": (0.1, float("nan"))}, "sigma must be between 0 and 2"),
        ({"omega": 1.0}, "omega must be between 0.0001 and 0.5"),
        ({"rho": 1.0}, "rho must be between -0.99 and 0.99"),
        ({"rate": 0.2}, "rate must be between 0.001 and 0.1"),
        ({"width": 1}, "width must be between 2 and 16"),
        ({"seed": -1}, "seed must be between 0 and 99"),
        ({"batch": 7}, "batch"),
    ],
)
def test_a_training_that_no_control_reaches_is_named(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises((ValueError, traitlets.TraitError), match=message):
        SwingByTrainingExplorer(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"entities": 20}, r"entities must be one of \(16, 24, 32, 48, 64, 96\) \(got 20\)"),
        ({"properties": 100}, "properties must be one of"),
        ({"classes": 3}, "classes must be one of"),
        ({"batch": 7}, "batch must be one of"),
        ({"density": 0.0}, r"density must be between 0.05 and 0.95 \(got 0.0\)"),
        ({"rate": 1.0}, "rate must be between"),
        ({"seed": 100}, "seed must be between 0 and 99"),
    ],
)
def test_a_pair_learner_that_no_control_reaches_is_named(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PairTrainingExplorer(**arguments)


def lattice(**changes: Any) -> LatticeExplorer:
    """Three checkpoints of three concepts; the loss of a composition is its number of concepts."""
    sizes = np.array([v.bit_count() for v in range(8)])
    losses = np.outer([4, 3, 1], sizes)
    arguments = {"losses": losses, "epochs": [0, 1, 5], "mu": [1, 2, 3], **changes}
    return LatticeExplorer(**arguments)


def test_the_lattice_crosses_in_the_order_of_bit_patterns() -> None:
    losses = np.random.default_rng(0).random((3, 8))
    ends = np.stack([losses / 2, losses * 2], -1)
    explorer = lattice(losses=losses, intervals=ends)
    np.testing.assert_allclose(unpack(explorer.losses, (3, 8)), losses, rtol=1e-6)
    np.testing.assert_allclose(unpack(explorer.intervals, (3, 8, 2)), ends, rtol=1e-6)
    assert lattice().intervals == b""
    assert lattice().checkpoint == 1  # the last with half of the first loss
    assert lattice(checkpoint=0).checkpoint == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": np.ones((3, 16))}, r"losses must have shape \(3, 8\)"),
        ({"losses": -np.ones((3, 8))}, "not be negative"),
        ({"losses": np.full((3, 8), np.nan)}, "recorded everywhere"),
        ({"epochs": [0, 5, 1]}, "epochs must be ascending"),
        ({"epochs": []}, "epochs must be ascending"),
        ({"mu": [1.0]}, "two to four positive"),
        ({"mu": [1, 2, -3]}, "two to four positive"),
        ({"intervals": np.ones((3, 8))}, r"intervals must have shape \(3, 8, 2\)"),
        ({"intervals": np.full((3, 8, 2), 9.0)}, "the loss between them"),
        ({"checkpoint": 3}, "index below 3"),
    ],
)
def test_a_wrong_lattice_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lattice(**change)


def test_the_paper_sized_grid_fits() -> None:
    shape = (10, 40, 15)
    explorer = PhaseExplorer(
        [2**i for i in range(2, 12)],
        range(40),
        range(1, 16),
        np.full((*shape, 4), 0.25),
        np.ones(shape),
        np.ones(shape),
        kl_id_halfwidth=np.ones(shape),
        kl_ood_halfwidth=np.ones(shape),
    )
    assert explorer.data_bytes < MAX_BYTES / 2


@pytest.mark.parametrize(
    "explorer",
    [
        phase(),
        RetrievalExplorer(),
        SwingByExplorer(),
        SwingByTrainingExplorer(),
        PairTrainingExplorer(),
        lattice(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_the_module_needs_nothing_from_anywhere(explorer: Explorer) -> None:
    module, style = explorer._esm, explorer._css
    assert not re.search(r"^\s*import\b|\bimport\(|\bfetch\(|\brequire\(", module, re.MULTILINE)
    assert set(re.findall(r"https?://[^\s\"']+", module + style)) <= {"http://www.w3.org/2000/svg"}
    assert module.count("export default") == 1
    assert "@import" not in style
    assert "url(" not in style


def test_files_stay_small() -> None:
    sources = [path for path in FOLDER.rglob("*") if path.suffix in {".py", ".js", ".css"}]
    assert max(len(path.read_text().splitlines()) for path in sources) < 350


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Bjorn Ottosson's perceptual space: equal distances look about equally different."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    axes = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.asarray(axes @ np.cbrt(cones @ np.clip(rgb, 0, 1)))


def palettes() -> dict[str, list[str]]:
    """Theme -> the four algorithm colours, from the style sheet."""
    style = Path(FOLDER / "shared/common.css").read_text()
    found = re.findall(r"--sx-(?:uni|bi)-(?:ret|inf): (#\w{6})", style)
    assert len(found) == 8
    return {"light": found[:4], "dark": found[4:]}


@pytest.mark.parametrize(("theme", "paper"), [("light", "#ffffff"), ("dark", "#14181e")])
def test_algorithm_colours_stand_out_from_the_page(theme: str, paper: str) -> None:
    weights = [0.2126, 0.7152, 0.0722]
    back = linear(paper) @ weights
    for colour in palettes()[theme]:
        bright, dark = sorted([linear(colour) @ weights, back], reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 3, colour  # WCAG 2.1, 1.4.11: graphics


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", list(VISION))
def test_algorithm_colours_stay_apart(theme: str, vision: str) -> None:
    seen = [oklab(np.array(VISION[vision]) @ linear(colour)) for colour in palettes()[theme]]
    for a, b in itertools.combinations(seen, 2):
        assert np.linalg.norm(a - b) > 0.09  # about 0.02 is just noticeable
