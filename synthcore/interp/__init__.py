"""Looking into networks and at their predictions: probes, pruning, ablation, patching, the lens.

A compiled transformer counts a letter; where does the count stand, and what carries it? ::

    import torch

    from synthcore.compiled import counter
    from synthcore.interp.patching import patch_each
    from synthcore.interp.probes import probe, read_activations

    model = counter(slots=6, letters=3)  # answers at position 2 how often letter 0 occurs
    strings = torch.randint(3, (400, 6))
    tokens, count = model.shape.encode(strings)[None], (strings == 0).sum(-1)
    sites = [f"blocks.{i}.hook_resid_post" for i in range(3)]

    found = probe(read_activations(model, tokens, sites, position=2), count, classes=7, seeds=[0])
    print(found.accuracy, found.shuffled)  # after each block, and with shuffled labels

    source = model.shape.encode(strings.flip(0))[None]
    said = patch_each(model, source, sites, lambda: model(tokens)[:, :, 2].argmax(-1), position=2)
    print((said == count.flip(0)).double().mean((1, 2)))  # with the stream of other strings

`probes` and their controls; `pruning` by first-order and by exact scores; `ablation`, `patching`
and `lens` work at the hook points of `synthcore.nn.hooks`; `interpolation` says which mixture of
known predictors a network is. Members of a population are looked at together. Each module is
imported by itself, so that a result rests on no tool that it does not use.
"""
