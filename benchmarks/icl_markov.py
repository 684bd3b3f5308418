"""The Markov-mixture study: its sampler and its fit of algorithm weights."""

from benchmarks.measuring import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = ()
