"""A small graph, its words and the shape of networks on it, for the tests of stepwise inference."""

import torch

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.stepwise_inference.task.graphs import bernoulli_graph
from synthcore.studies.stepwise_inference.task.lines import Vocabulary
from synthcore.training.seeding import seeded

CPU = torch.device("cpu")
GRAPH = bernoulli_graph(10, 0.35, seeded(3), ends=2)
VOCABULARY = Vocabulary(10)
SHAPE = GPTConfig(VOCABULARY.size, 24, 16, 2, 1, positions="learned", bias=False)


def loud(model: GPT) -> GPT:
    """Larger weights, so that an untrained network has opinions."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    return model.eval()
