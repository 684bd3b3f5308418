"""Plans of stories in StoryWorld: who, what happens, and which of six features a plan has, exactly;
with the words and sentence frames that tell them.

Twist: a late sentence says of a character's trait or an object's colour something else than the
story said at first. Every story has two such late sentences, one for a trait and one for a colour;
both are true or both are not. Foreshadowing: an early sentence names the thing that is found later.
Dialogue: somebody speaks. Bad ending, moral value, conflict: as they sound. Every feature is
present with probability 0.4, three at most.

Every kind of sentence has at least a dozen surface forms, products of an opening and a predicate,
which are drawn independently of the story's features. No frame belongs to one feature alone where
its absence would give the feature away: a story says late what somebody is like whether or not
this contradicts what it said at first.

Slots: {a}, {b} names; {k} kind; {t} trait; {o}, {p} objects; {c} colour; {l} place; {f} food; {g}
game; {w} weather; {v} virtue.
"""

import random
from dataclasses import dataclass
from typing import Final

# --- words --------------------------------------------------------------------------------------


def _list(words: str) -> list[str]:
    return words.split()


NAMES = _list("""
tim ann bob lily max mia sam eva leo zoe ben amy jack lucy tom sue finn rosa hugo nina paul ella
noah ida karl mona otto vera felix clara owen daisy henry ruth simon greta luke nora peter alma
james hazel oscar iris frank olive arthur pearl walter stella edgar flora ivan maya boris lena
cyrus june dario kira elmo tess gus wanda
""")
KINDS = _list("""
fox bear girl boy rabbit mouse cat dog owl goat sheep horse duck frog hen pig cow wolf deer
squirrel hedgehog beaver otter badger mole robin crow swan goose donkey lion tiger monkey turtle
snail king queen baker farmer sailor doctor teacher painter miller tailor
""")
TRAITS = _list("""
brave shy kind rude clever silly quiet loud lazy busy gentle grumpy honest sly patient hasty tidy
messy proud humble calm nervous cheerful gloomy strong weak quick slow old young polite curious
careful clumsy generous greedy
""")
COLOURS = _list("""
red blue green yellow white black brown pink purple orange grey golden silver violet
""")
OBJECTS = _list("""
kite ball bell book lamp drum flute hat coat scarf boot glove ring crown key lock box basket
bucket broom brush candle chair clock comb cup dish doll fan feather flag fork glass hammer harp
horn jar jug kettle knife ladder lantern leaf map mask mirror mug nail needle nest paddle pan
pearl pen pencil pillow pin pipe plate pot purse puzzle quilt rake ribbon rope saddle sail saw
shell shield shovel spade spoon stamp stick stone stool string sword tent thimble ticket tool top
towel toy tray trumpet umbrella vase violin wagon wallet watch wheel whistle wig wreath yarn
""")
PLACES = _list("""
river hill forest meadow market village castle garden beach lake cave bridge mill farm barn
harbour island tower valley orchard pond field town square church school library bakery workshop
stable cottage mountain desert swamp shore port inn well gate yard attic cellar kitchen hall park
museum station theatre
""")
FOODS = _list("""
apples bread cheese soup cake pie plums pears berries nuts honey milk porridge rice beans carrots
corn eggs figs grapes jam lemons melons mushrooms noodles oats olives onions pancakes peaches peas
potatoes pudding pumpkins salad sausages stew toast tomatoes waffles
""")
GAMES = _list("""
chess tag cards marbles darts dominoes checkers football tennis hopscotch charades bowling
skittles riddles leapfrog hide-and-seek jump-rope badminton
""")
WEATHER = _list("""
sunny rainy windy cloudy snowy foggy stormy warm cold cool hot dry wet mild frosty misty
""")
VIRTUES = _list("""
share listen wait forgive help learn try smile trust rest work care give thank
""")


def _products(openings: str, predicates: str) -> tuple[str, ...]:
    """Every opening with every predicate; parts are separated by bars."""
    return tuple(
        f"{opening.strip()} {predicate.strip()} .".strip()
        for opening in openings.split("|")
        for predicate in predicates.split("|")
    )


FRAMES: dict[str, tuple[str, ...]] = {
    "intro": _products(
        "there was | once there lived | long ago there was | here is the tale of",
        "{t} {a} the {k} | a {t} {a} , the {k} | one {t} {a} , a {k}",
    ),
    "own": _products(
        "{a} had | {a} always carried | {a} owned | {a} loved",
        "a {c} {o} | one {c} {o} | a single {c} {o}",
    ),
    "weather": _products(
        "that day it was | in the morning it was | outside it was | by noon it was",
        "{w} | very {w} | a bit {w}",
    ),
    "goal": _products(
        "{a} wanted | {a} hoped | {a} wished | {a} planned",
        "to find a {p} | to get a {p} | to bring home a {p}",
    ),
    "hint": _products(
        "people spoke of | there were stories about | someone dreamed of | a song told of",
        "a {p} far away | a hidden {p} | a {p} nobody could find",
    ),
    "go": _products(
        "{a} walked | {a} ran | {a} set off | {a} went slowly",
        "to the {l} | towards the {l} | all the way to the {l}",
    ),
    "meet": _products(
        "at the gate | on the road | near a tree | around noon",
        "{a} met {b} | {a} ran into {b} | {a} came across {b}",
    ),
    "eat": _products(
        "{a} ate | {a} shared | {a} tasted | {a} cooked",
        "some {f} | a lot of {f} | a plate of {f}",
    ),
    "play": _products(
        "{a} and {b} played | {a} taught {b} to play | {a} asked {b} to play | {b} and {a} tried",
        "{g} | a round of {g} | {g} for an hour",
    ),
    "help": _products(
        "{a} helped {b} | {a} stayed with {b} | {a} worked with {b} | {a} waited for {b}",
        "for a while | until it was late | the whole morning",
    ),
    "rest": _products(
        "{a} rested | {a} slept | {a} sat down | {a} lay down",
        "near the {l} | behind the {l} | in front of the {l}",
    ),
    "find": _products(
        "under a bush | in the grass | by the path | behind a wall",
        "{a} found a {p} | {a} saw a {p} | {a} picked up a {p}",
    ),
    "trait": _products(
        "everyone saw that {a} | by then {a} | in the evening {a} | they all knew that {a}",
        "was {t} | was very {t} | was rather {t}",
    ),
    "colour": _products(
        "everyone saw that the {o} | by then the {o} | in the evening the {o} | they knew the {o}",
        "was {c} | was quite {c} | was rather {c}",
    ),
    "quarrel": _products(
        "{a} and {b} argued | {a} shouted at {b} | {a} blamed {b} | {a} was angry with {b}",
        "about the {o} | because of the {o} | over the {o}",
    ),
    "say": _products(
        '{a} said " | {a} called " | {a} whispered " | then {b} said "',
        'let us go home " | what a day this is " | we must not give up "',
    ),
    "good": _products(
        "{a} went home | {a} came back | {a} returned | in the end {a} was",
        "happy and safe | glad and safe | full of joy",
    ),
    "bad": _products(
        "{a} went home | {a} came back | {a} returned | in the end {a} was",
        "sad and alone | tired and alone | in tears",
    ),
    "moral": _products(
        "so it is good to | so always remember to | it is wise to | one should always",
        "{v} | {v} a little | {v} every day",
    ),
}
MARKS = ("words", "features", "summary", "sentence", "story", ":", ",", "the end", "<pad>")
FEATURES = ("twist", "foreshadowing", "dialogue", "badending", "moralvalue", "conflict")
SUMMARY = "{a} the {k} wanted a {p} and the end was {e} ."
ENDINGS = ("good", "bad")
SLOTS = {
    "a": NAMES,
    "b": NAMES,
    "k": KINDS,
    "t": TRAITS,
    "o": OBJECTS,
    "p": OBJECTS,
    "c": COLOURS,
    "l": PLACES,
    "f": FOODS,
    "g": GAMES,
    "w": WEATHER,
    "v": VIRTUES,
    "e": list(ENDINGS),
}


# --- plans --------------------------------------------------------------------------------------

PRESENT: Final = 0.4
MOST_FEATURES = 3
ALL = 1000  # longer than every list
Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Event:
    """One sentence: its kind and what fills its slots."""

    kind: str
    facts: Facts

    @staticmethod
    def of(kind: str, **facts: str) -> "Event":
        """An event of this kind, its facts by slot."""
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
        present = set()
        stated: dict[tuple[str, str], str] = {}
        hinted: set[str] = set()
        for event in self.events:
            if event.kind == "intro":
                stated.setdefault(("trait", event["a"]), event["t"])
            elif event.kind == "own":
                stated.setdefault(("colour", event["o"]), event["c"])
            elif event.kind in ("trait", "colour"):
                about, value = ("a", "t") if event.kind == "trait" else ("o", "c")
                before = stated.get((event.kind, event[about]))
                if before is not None and before != event[value]:
                    present.add("twist")
            elif event.kind == "hint":
                hinted.add(event["p"])
            elif event.kind == "find" and event["p"] in hinted:
                present.add("foreshadowing")
            kinds = {"say": "dialogue", "bad": "badending", "moral": "moralvalue"}
            kinds["quarrel"] = "conflict"
            if event.kind in kinds:
                present.add(kinds[event.kind])
        return frozenset(present)


def draw_features(rng: random.Random) -> frozenset[str]:
    """Each feature with probability 0.4; drawn again while there are more than three."""
    while True:
        features = frozenset(f for f in FEATURES if rng.random() < PRESENT)
        if len(features) <= MOST_FEATURES:
            return features


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
    cast = rng.sample(NAMES[:choices], rng.choice((2, 2, 2, 2, 3)))
    hero, friend = cast[0], cast[1]
    traits = {name: rng.choice(TRAITS[:choices]) for name in cast}
    own, goal, hinted = rng.sample(OBJECTS[:choices], 3)
    colour = rng.choice(COLOURS[:choices])
    start = [Event.of("intro", a=n, k=rng.choice(KINDS[:choices]), t=traits[n]) for n in cast]
    start.insert(1, Event.of("own", a=hero, o=own, c=colour))
    early = [Event.of("goal", a=hero, p=goal)]
    if "foreshadowing" in wanted:
        early.insert(0, Event.of("hint", p=goal))
    elif rng.random() < PRESENT:
        early.insert(0, Event.of("hint", p=hinted))
    if rng.random() < 0.2:
        early.insert(0, Event.of("weather", w=rng.choice(WEATHER[:choices])))
    middle = _middle(rng, hero, friend, choices)
    if "conflict" in wanted:
        middle.insert(rng.randint(2, len(middle)), Event.of("quarrel", a=hero, b=friend, o=own))
    if "dialogue" in wanted:
        middle.insert(rng.randint(2, len(middle)), Event.of("say", a=hero, b=friend))
    middle.insert(rng.randint(1, len(middle)), Event.of("find", a=hero, p=goal))
    late = _late(rng, "twist" in wanted, traits, (own, colour), choices)
    end = [Event.of("bad" if "badending" in wanted else "good", a=hero)]
    if "moralvalue" in wanted:
        end.append(Event.of("moral", v=rng.choice(VIRTUES[:choices])))
    return Plan(tuple(start + early + middle + late + end))


def _middle(rng: random.Random, hero: str, friend: str, choices: int) -> list[Event]:
    """Three things that happen, in an order that makes sense: first the way, then who is met, then
    what is done there."""
    place = rng.choice(PLACES[:choices])
    done = [
        Event.of("eat", a=hero, f=rng.choice(FOODS[:choices])),
        Event.of("play", a=hero, b=friend, g=rng.choice(GAMES[:choices])),
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
        trait = rng.choice([t for t in TRAITS[:choices] if t != trait])
        colour = rng.choice([c for c in COLOURS[:choices] if c != colour])
    late = [Event.of("trait", a=name, t=trait), Event.of("colour", o=thing, c=colour)]
    rng.shuffle(late)
    return late
