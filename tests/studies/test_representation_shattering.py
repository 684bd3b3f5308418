"""The knowledge graph, its hold-outs and walks, against enumeration."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from synthcore.studies.representation_shattering.holdouts import HoldOuts, needed, reachable
from synthcore.studies.representation_shattering.task import Circles, Relations
from synthcore.studies.representation_shattering.walks import Walks

SEEDS = (0, 1)
CIRCLES = Circles.draw(20, SEEDS, hops=2)
HELD = HoldOuts.draw(CIRCLES, SEEDS)
N, R = CIRCLES.entities, CIRCLES.relations.count


def answer(member: int, relation: str, x: int) -> int:
    """The definition, written out: k-th neighbour on a circle."""
    order, way = relation.split("_")
    circle = CIRCLES.entity[member, ["I", "II", "III"].index(order)].tolist()
    sign = 1 if way[0] == "C" else -1
    return int(circle[(circle.index(x) + sign * int(way[1:])) % len(circle)])


def test_facts_are_neighbours_on_circles() -> None:
    for m in range(2):
        for r, name in enumerate(CIRCLES.relations.names):
            found = [answer(m, name, x) for x in range(N)]
            assert CIRCLES.table[m, r].tolist() == found


def test_ways_back_and_hop_arithmetic() -> None:
    table, relations = CIRCLES.table[0], CIRCLES.relations
    for r, back in enumerate(relations.inverse):
        assert table[back, table[r]].tolist() == list(range(N))
    one, two = relations.index("II_A1"), relations.index("II_A2")
    assert torch.equal(table[one, table[one]], table[two])
    assert relations.shift.tolist() == [1, 2, -1, -2] * 3
    assert [relations.names[r] for r in relations.of(1)] == ["II_C1", "II_C2", "II_A1", "II_A2"]


def test_distance_is_the_shorter_way_round() -> None:
    place = CIRCLES.place[0, 1]
    one, other = torch.arange(N).repeat(N), torch.arange(N).repeat_interleave(N)
    gap = (place[one] - place[other]).abs()
    expected = torch.minimum(gap, N - gap)
    both = CIRCLES.distance(1, one.expand(2, -1), other.expand(2, -1))
    assert torch.equal(both[0], expected)


def test_bad_names_and_sizes_are_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"Unknown relation 'IV_C1'\. Did you mean"):
        Relations().index("IV_C1")
    with pytest.raises(ValueError, match="entities must be more than 9"):
        Circles.draw(9, [0])
    with pytest.raises(ValueError, match="hold out a smaller share"):
        HoldOuts.draw(CIRCLES, SEEDS, facts=0.9)


def test_held_out_facts_can_be_inferred() -> None:
    for m in range(2):
        table = CIRCLES.table[m]
        for order in range(3):
            share = HELD.facts[m, list(CIRCLES.relations.of(order))].double().mean()
            assert share == pytest.approx(0.1)
        for r, x in HELD.facts[m].nonzero().tolist():
            support = needed(CIRCLES.relations, table, r, x)
            name = CIRCLES.relations.name(r)
            assert len(support) == 1 + 2 * (int(name[-1]) - 1)
            assert not any(HELD.facts[m, rr, xx] for rr, xx in support)
            back, at = support[0]
            assert int(table[back, at]) == x
            if name.endswith("2"):  # the shorter ways lead there
                (one, first), (two, second) = support[1:]
                assert first == x
                assert int(table[one, first]) == second
                assert int(table[two, second]) == int(table[r, x])


def test_held_out_chains_are_made_of_trained_facts() -> None:
    for m in range(2):
        assert (HELD.chains[m].flatten(1).sum(1) == round(0.1 * R * R)).all()
        assert not (
            HELD.chains[m] & ~reachable(CIRCLES.relations, CIRCLES.table[m], HELD.facts[m])
        ).any()
        for x, r, then in HELD.chains[m].nonzero().tolist():
            assert then != CIRCLES.relations.inverse[r]
            assert not HELD.facts[m, r, x]
            assert not HELD.facts[m, then, CIRCLES.table[m, r, x]]


def read(member: int, tokens: list[int]) -> list[tuple[int, list[int], int]]:
    """(start, relations, end) of everything a walk states; the last may be cut off."""
    found, i = [], 0
    while i < len(tokens):
        assert tokens[i] < N
        j = i + 1
        while j < len(tokens) and tokens[j] >= N:
            j += 1
        if j == len(tokens):
            break
        found.append((tokens[i], [t - N for t in tokens[i + 1 : j]], tokens[j]))
        i = j
    return found


def check(member: int, stated: list[tuple[int, list[int], int]]) -> None:
    for start, relations, end in stated:
        at = start
        for r in relations:
            assert not HELD.facts[member, r, at]
            at = int(CIRCLES.table[member, r, at])
        assert at == end
        assert 1 <= len(relations) <= 2
        if len(relations) == 2:
            assert not HELD.chains[member, start, relations[0], relations[1]]


def test_walks_state_true_facts_and_nothing_held_out() -> None:
    walks = Walks(CIRCLES, HELD).draw(3000, 16, torch.Generator().manual_seed(0))
    assert walks.shape == (2, 3000, 16)
    for m in range(2):
        for line in walks[m].tolist():
            check(m, read(m, line))


def test_a_million_walks_contain_nothing_held_out() -> None:
    """The same by table look-up: pairs and triples of neighbouring tokens."""
    circles = Circles.draw(128, [3])
    held = HoldOuts.draw(circles, [3])
    walks, random = Walks(circles, held), torch.Generator().manual_seed(1)
    M, table = 128, circles.table[0]
    for _ in range(10):
        tokens = walks.draw(100_000, 16, random)[0]
        entity = tokens < M
        x, r, then = tokens[:, :-2], tokens[:, 1:-1] - M, tokens[:, 2:] - M
        fact = entity[:, :-2]
        assert not held.facts[0][r[fact], x[fact]].any()
        chain = fact & (then >= 0)
        x, r, then = x[chain], r[chain], then[chain]
        assert not held.chains[0][x, r, then].any()
        assert not held.facts[0][then, table[r, x]].any()


def test_starts_and_allowed_relations_are_uniform() -> None:
    walks = Walks(CIRCLES, HELD, two_hop=0.4).draw(60_000, 3, torch.Generator().manual_seed(2))[0]
    starts = np.bincount(walks[:, 0].numpy(), minlength=N)
    assert stats.chisquare(starts).pvalue > 1e-3
    x = 5
    chosen = walks[walks[:, 0] == x][:, 1] - N
    allowed = [r for r in range(R) if not HELD.facts[0, r, x]]
    counts = Counter(chosen.tolist())
    assert set(counts) == set(allowed)
    assert stats.chisquare([counts[r] for r in allowed]).pvalue > 1e-3
    share = float((walks[:, 2] >= N).double().mean())
    assert abs(share - 0.4) < 4 * (0.24 / 60_000) ** 0.5


def test_walks_of_some_orders_use_no_other() -> None:
    walks = Walks(CIRCLES, HELD, orders=(0, 1)).draw(500, 16, torch.Generator().manual_seed(0))
    relations = walks[walks >= N] - N
    assert set((relations // CIRCLES.relations.each).tolist()) == {0, 1}


@pytest.mark.parametrize("steps", [[], [1], [2], [1, 2, 1]])
def test_contexts_lead_to_the_entity_asked_about(steps: list[int]) -> None:
    entity = torch.arange(N).repeat(2, 30)
    walks = Walks(CIRCLES, HELD)
    before = walks.before(entity, steps, torch.Generator().manual_seed(0))
    assert before.shape == (2, 30 * N, sum(steps) + len(steps))
    for m in range(2):
        for line, end in zip(before[m].tolist(), entity[m].tolist(), strict=True):
            stated = read(m, [*line, end])
            assert [len(relations) for _, relations, _ in stated] == steps
            check(m, stated)


def test_too_many_hold_outs_would_strand_a_walk() -> None:
    everything = HoldOuts(torch.ones_like(HELD.facts), HELD.chains)
    with pytest.raises(ValueError, match="stuck"):
        Walks(CIRCLES, everything)
