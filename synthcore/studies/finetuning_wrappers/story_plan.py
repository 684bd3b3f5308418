"""Plans of stories: who, what happens, and which of six features the plan has, exactly.

Twist: a late sentence says of a character's trait or an object's colour something else than the
story said at first. Every story has two such late sentences, one for a trait and one for a colour;
both are true or both are not. Foreshadowing: an early sentence names the thing that is found later.
Dialogue: somebody speaks. Bad ending, moral value, conflict: as they sound. Every feature is
present with probability 0.4, three at most.
"""

import random
from dataclasses import dataclass
from typing import Final

from synthcore.studies.finetuning_wrappers import story_words as words

PRESENT: Final = 0.4
MOST = 3
ALL = 1000  # longer than every list
Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Event:
    """One sentence: its kind and what fills its slots."""

    kind: str
    facts: Facts

    @staticmethod
    def of(kind: str, **facts: str) -> "Event":
        return Event(kind, tuple(sorted(facts.items())))

    def __getitem__(self, slot: str) -> str:
        return dict(self.facts)[slot]


@dataclass(frozen=True)
class Plan:
    """Events in order; everything else follows from them."""

    events: tuple[Event, ...]

    def of_kind(self, *kinds: str) -> list[Event]:
        """Events of these kinds, in order."""
        return [event for event in self.events if event.kind in kinds]

    @property
    def features(self) -> frozenset[str]:
        """The features of the plan.

        >>> story = Plan((Event.of("intro", a="tim", k="fox", t="shy"),
        ...               Event.of("trait", a="tim", t="brave")))
        >>> sorted(story.features)
        ['twist']
        """
        found = set()
        said: dict[tuple[str, str], str] = {}
        hinted: set[str] = set()
        for event in self.events:
            if event.kind == "intro":
                said.setdefault(("trait", event["a"]), event["t"])
            elif event.kind == "own":
                said.setdefault(("colour", event["o"]), event["c"])
            elif event.kind in ("trait", "colour"):
                about, value = ("a", "t") if event.kind == "trait" else ("o", "c")
                before = said.get((event.kind, event[about]))
                if before is not None and before != event[value]:
                    found.add("twist")
            elif event.kind == "hint":
                hinted.add(event["p"])
            elif event.kind == "find" and event["p"] in hinted:
                found.add("foreshadowing")
            kinds = {"say": "dialogue", "bad": "badending", "moral": "moralvalue"}
            kinds["quarrel"] = "conflict"
            if event.kind in kinds:
                found.add(kinds[event.kind])
        return frozenset(found)


def draw_features(rng: random.Random) -> frozenset[str]:
    """Each feature with probability 0.4; drawn again while there are more than three."""
    while True:
        found = frozenset(f for f in words.FEATURES if rng.random() < PRESENT)
        if len(found) <= MOST:
            return found


def draw_plan(
    rng: random.Random, features: frozenset[str] | None = None, choices: int = ALL
) -> Plan:
    """A plan with exactly these features (drawn if None), from the first `choices` words of each
    list.

    >>> wanted = frozenset({"twist", "dialogue"})
    >>> draw_plan(random.Random(0), wanted).features == wanted
    True
    """
    wanted = draw_features(rng) if features is None else features
    cast = rng.sample(words.NAMES[:choices], rng.choice((2, 2, 2, 2, 3)))
    hero, friend = cast[0], cast[1]
    traits = {name: rng.choice(words.TRAITS[:choices]) for name in cast}
    own, goal, hinted = rng.sample(words.OBJECTS[:choices], 3)
    colour = rng.choice(words.COLOURS[:choices])
    start = [Event.of("intro", a=n, k=rng.choice(words.KINDS[:choices]), t=traits[n]) for n in cast]
    start.insert(1, Event.of("own", a=hero, o=own, c=colour))
    early = [Event.of("goal", a=hero, p=goal)]
    if "foreshadowing" in wanted:
        early.insert(0, Event.of("hint", p=goal))
    elif rng.random() < PRESENT:
        early.insert(0, Event.of("hint", p=hinted))
    if rng.random() < 0.2:
        early.insert(0, Event.of("weather", w=rng.choice(words.WEATHER[:choices])))
    middle = _middle(rng, hero, friend, choices)
    if "conflict" in wanted:
        middle.insert(rng.randint(2, len(middle)), Event.of("quarrel", a=hero, b=friend, o=own))
    if "dialogue" in wanted:
        middle.insert(rng.randint(2, len(middle)), Event.of("say", a=hero, b=friend))
    middle.insert(rng.randint(1, len(middle)), Event.of("find", a=hero, p=goal))
    late = _late(rng, "twist" in wanted, traits, (own, colour), choices)
    end = [Event.of("bad" if "badending" in wanted else "good", a=hero)]
    if "moralvalue" in wanted:
        end.append(Event.of("moral", v=rng.choice(words.VIRTUES[:choices])))
    return Plan(tuple(start + early + middle + late + end))


def _middle(rng: random.Random, hero: str, friend: str, choices: int) -> list[Event]:
    """Three things that happen, in an order that makes sense: first the way, then who is met, then
    what is done there."""
    place = rng.choice(words.PLACES[:choices])
    done = [
        Event.of("eat", a=hero, f=rng.choice(words.FOODS[:choices])),
        Event.of("play", a=hero, b=friend, g=rng.choice(words.GAMES[:choices])),
        Event.of("help", a=hero, b=friend),
        Event.of("rest", a=hero, l=place),
    ]
    way = [Event.of("go", a=hero, l=place), Event.of("meet", a=hero, b=friend)]
    return [*way, rng.choice(done)]


def _late(
    rng: random.Random,
    twist: bool,
    traits: dict[str, str],
    owned: tuple[str, str],
    choices: int,
) -> list[Event]:
    """What the story says late of a trait and of a colour: again the same, or the contrary."""
    name, (thing, colour) = rng.choice(list(traits)), owned
    trait = traits[name]
    if twist:
        trait = rng.choice([t for t in words.TRAITS[:choices] if t != trait])
        colour = rng.choice([c for c in words.COLOURS[:choices] if c != colour])
    late = [Event.of("trait", a=name, t=trait), Event.of("colour", o=thing, c=colour)]
    rng.shuffle(late)
    return late
