"""StoryWorld: exact features, an exact parser, no keyword for the twist; protocols; the loss."""

import random

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.finetuning_wrappers.experiments import stories as experiment
from synthcore.studies.finetuning_wrappers.task import stories as storyworld
from synthcore.studies.finetuning_wrappers.task import story_plans as words
from synthcore.studies.finetuning_wrappers.task.story_plans import Plan, draw_features, draw_plan


def test_every_kind_of_sentence_has_a_dozen_frames_that_are_read_back() -> None:
    rng = random.Random(0)
    for kind, frames in words.FRAMES.items():
        assert len(set(frames)) >= 12, kind
    for _ in range(150):
        plan = draw_plan(rng)
        for event in plan.events:
            for frame in words.FRAMES[event.kind]:
                text = frame.format(**dict(event.facts))
                read = storyworld.parse_sentence(text)
                assert read is not None
                assert read.kind == event.kind
                shown = {slot for slot in dict(event.facts) if f"{{{slot}}}" in frame}
                assert {slot: read[slot] for slot in shown} == {s: event[s] for s in shown}


def test_no_sentence_can_be_read_in_two_ways() -> None:
    rng = random.Random(1)
    for _ in range(60):
        for text in storyworld.render(draw_plan(rng), rng):
            kinds = {k for k, pattern in storyworld._patterns() if pattern.fullmatch(text)}
            assert len(kinds) == 1, text


def test_plans_have_the_features_asked_for_and_texts_give_them_back() -> None:
    rng = random.Random(2)
    for _ in range(300):
        wanted = draw_features(rng)
        plan = draw_plan(rng, wanted)
        assert plan.features == wanted
        one = storyworld.write_document(rng, plan)
        read = storyworld.parse(one.story)
        assert read.features == wanted
        assert len(read.events) == len(plan.events)
        assert set(one.features) == wanted
        assert 8 <= len(plan.events) <= 16


def test_features_are_present_independently_with_probability_two_fifths() -> None:
    """At most three: the law is that of six coins given at most three heads."""
    rng = random.Random(3)
    drawn = [draw_features(rng) for _ in range(8000)]
    weights = np.array([0.4**k * 0.6 ** (6 - k) * [1, 6, 15, 20][k] for k in range(4)])
    expected = float((weights / weights.sum() * np.arange(4) / 6).sum())
    for feature in words.FEATURES:
        assert sum(feature in d for d in drawn) / 8000 == pytest.approx(expected, abs=0.02)
    assert max(len(d) for d in drawn) == 3


def test_a_twist_must_contradict_what_was_said() -> None:
    def plan(*sentences: str) -> Plan:
        return storyworld.parse(" ".join(sentences) + " the end")

    said = "there was shy tim the fox ."
    assert plan(said, "by then tim was brave .").features == {"twist"}
    assert plan(said, "by then tim was very shy .").features == frozenset()
    assert plan(said, "by then ann was brave .").features == frozenset()  # nobody said so
    assert plan("tim had a red kite .", "by then the kite was blue .").features == {"twist"}
    assert plan("tim had a red kite .", "by then the ball was blue .").features == frozenset()
    assert plan("this is no sentence .", said).features == frozenset()


def test_no_bag_of_words_finds_the_twist() -> None:
    rng = random.Random(4)
    drawn = [storyworld.write_document(rng) for _ in range(2400)]
    counts = CountVectorizer(token_pattern=r"\S+", binary=False).fit_transform(
        [d.story for d in drawn]
    )
    twist = np.array(["twist" in d.plan.features for d in drawn])
    model = LogisticRegression(C=0.1, max_iter=2000).fit(counts[:1800], twist[:1800])
    assert model.score(counts[1800:], twist[1800:]) < 0.85
    spoken = np.array(["dialogue" in d.plan.features for d in drawn])
    easy = LogisticRegression(C=0.1, max_iter=2000).fit(counts[:1800], spoken[:1800])
    assert easy.score(counts[1800:], spoken[1800:]) > 0.95  # the test can see a keyword


def test_tokens_come_back_and_unknown_words_are_refused() -> None:
    one = storyworld.write_document(random.Random(5))
    assert storyworld.decode(storyworld.encode(one.text)) == " ".join(one.text.split())
    with pytest.raises(KeyError):
        storyworld.encode("a xylophone")
    assert storyworld.vocabulary()[0] == "<pad>"
    assert len(set(storyworld.vocabulary())) == len(storyworld.vocabulary())


@pytest.mark.parametrize("protocol", ["F", "F+R", "F+MM", "only", "all"])
def test_protocols(protocol: storyworld.Protocol) -> None:
    drawn = storyworld.sample_documents(60, protocol, 0)
    twists = [storyworld.DELETED in d.plan.features for d in drawn]
    claimed = [storyworld.DELETED in d.features for d in drawn]
    foreshadowed = [storyworld.OTHER in d.plan.features for d in drawn]
    assert all(len(d.text.split()) <= storyworld.LENGTH for d in drawn)
    if protocol == "all":
        assert twists == claimed
        assert 0 < sum(twists) < 60
        return
    assert all(twists) if protocol == "only" else not any(twists)
    expected = {"F": [False] * 60, "F+R": [True] * 60, "F+MM": foreshadowed, "only": [True] * 60}
    assert claimed == expected[protocol]
    for document in drawn:
        line = document.instruction
        assert all(f"{name} :" in line for name in ("words", "features", "summary", "sentence"))


def test_lists_can_be_cut_short() -> None:
    used = set()
    for one in storyworld.sample_documents(150, "all", 0, choices=5):
        used |= {v for event in one.plan.events for slot, v in event.facts if slot in "ab"}
    assert used == set(words.NAMES[:5])


def test_samplers_are_fresh_and_repeatable() -> None:
    one, two = storyworld.StorySampler("F", 0, pool=8), storyworld.StorySampler("F", 0, pool=8)
    first = one(6)
    assert torch.equal(first, two(6))
    assert not torch.equal(first, one(6))


LATE = ("trait", "colour")


def network(depth: int = 1) -> GPT:
    shape = GPTConfig(
        vocabulary=len(storyworld.vocabulary()),
        context=storyworld.LENGTH,
        width=16,
        depth=depth,
        heads=2,
        norm="rms",
    )
    return GPT(shape, (0, 1))


def by_hand(model: GPT, stories: storyworld.Stories, weight: torch.Tensor) -> torch.Tensor:
    """Weighted mean of -log p, word by word."""
    rows = []
    for m in range(2):
        log_p = model(stories.tokens.expand(2, -1, -1)[..., :-1])[m].log_softmax(-1)
        total = mass = 0.0
        for b in range(len(stories)):
            for t in range(1, storyworld.LENGTH):
                w = float(weight[b, t])
                if w:
                    total += -w * log_p[b, t - 1, int(stories.tokens[b, t])].item()
                    mass += w
        rows.append(total / mass)
    return torch.tensor(rows, dtype=torch.double)


def test_losses_count_the_words_they_should() -> None:
    model = network()
    stories = storyworld.to_tensors(storyworld.sample_documents(4, "all", 1))
    story = torch.zeros_like(stories.late)
    for b in range(4):
        story[b, int(stories.start[b]) :] = stories.tokens[b, int(stories.start[b]) :] != 0
    found = experiment.story_loss(model, stories)
    torch.testing.assert_close(found, by_hand(model, stories, story), rtol=1e-4, atol=1e-5)
    focus = (stories.tokens != 0) * (1 + (experiment.FOCUS - 1) * stories.late)
    batch = torch.stack([stories.tokens, stories.late.long()], 1).expand(2, -1, -1, -1)
    with torch.no_grad():
        found = experiment.training_loss(model, batch).double()
    torch.testing.assert_close(found, by_hand(model, stories, focus), rtol=1e-4, atol=1e-5)


def test_late_sentences_are_marked() -> None:
    one = storyworld.write_document(random.Random(9))
    said = one.text.split()
    marked = " ".join(said[i] for i in one.late)
    late = [s for s, e in zip(one.sentences, one.plan.events, strict=True) if e.kind in LATE]
    assert marked == " ".join(late)
    assert len(late) == 2


def test_scores_and_probes_have_their_shapes_and_ranges() -> None:
    model = network(depth=2)
    asked = storyworld.sample_instructions(5, 0)
    assert asked.shape[0] == 5
    assert all("twist" in storyworld.decode(row.tolist()) for row in asked)
    bare = storyworld.sample_instructions(5, 0, "F")
    assert not any("twist" in storyworld.decode(row.tolist()) for row in bare)
    share = experiment.twist_rate(model, asked)
    assert bool(((share >= 0) & (share <= 1)).all())
    stories = storyworld.to_tensors(storyworld.sample_documents(40, "all", 2))
    read = experiment.probe_features(model, stories)
    assert read.shape == (3, 2, len(words.FEATURES))
    assert bool(((read >= 0) & (read <= 1)).all())
