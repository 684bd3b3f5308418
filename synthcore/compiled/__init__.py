"""Programs in RASP as weights of a transformer: networks whose every weight has a known meaning.

Which letters occur an odd number of times? A program, the network that computes it, and training
that goes on from there::

    import torch

    from synthcore.compiled import Sharpness, compile_program, copy_members, perturb
    from synthcore.compiled.rasp import Map, Select, SelectorWidth, equal, evaluate, tokens

    odd = Map(lambda n: n % 2, SelectorWidth(Select(tokens, tokens, equal)))
    model = compile_program(odd, letters=4, slots=6, sharpness=Sharpness(beta=10, split=True))
    strings = torch.randint(4, (256, 6))
    said = model(model.shape.encode(strings)[None])[0, :, 1:].argmax(-1)
    assert torch.equal(said, evaluate(odd, strings))  # what the program means, without a network

    population = copy_members(model, [0, 0, 0])  # three trainable members
    perturb(population, 1e-3, seeds=[0, 1, 2])
    logits = population(population.shape.encode(strings).expand(3, -1, -1))[:, :, 1:]
    targets = (1 - said).expand(3, -1, -1)  # from now on: an even number of times
    torch.nn.functional.cross_entropy(logits.flatten(0, 2), targets.flatten()).backward()

`rasp` is the language and its meaning, `compiler` writes weights, `network` is the transformer, and
`programs` holds two programs of a paper.
"""

from synthcore.compiled.compiler import Sharpness, compile_program
from synthcore.compiled.network import (
    CompiledTransformer,
    Shape,
    Subspaces,
    copy_members,
    perturb,
    weights_in_use,
)
from synthcore.compiled.programs import counter, max_identifier

__all__ = [
    "CompiledTransformer",
    "Shape",
    "Sharpness",
    "Subspaces",
    "compile_program",
    "copy_members",
    "counter",
    "max_identifier",
    "perturb",
    "weights_in_use",
]
