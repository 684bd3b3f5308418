"""Looking into networks and at their predictions: parts that a study made and others can use.

Which mixture of known predictors is a network? Two predictors of three outcomes, and a network that
answers halfway between them:

>>> import torch
>>> from synthcore.interp.interpolation import interpolate
>>> known = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2]], dtype=torch.float64)
>>> fit = interpolate(known, known.mean(0))
>>> fit.weights, bool(fit.identifiable)
(tensor([0.5000, 0.5000], dtype=torch.float64), True)
"""
