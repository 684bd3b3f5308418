"""Words and sentence frames of StoryWorld.

Every kind of sentence has at least a dozen surface forms, products of an opening and a predicate,
which are drawn independently of the story's features. No frame belongs to one feature alone where
its absence would give the feature away: a story says late what somebody is like whether or not
this contradicts what it said at first.

Slots: {a}, {b} names; {k} kind; {t} trait; {o}, {p} objects; {c} colour; {l} place; {f} food; {g}
game; {w} weather; {v} virtue.
"""


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
