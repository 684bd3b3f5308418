"""A run's results as claims read them: a tree with one dataset per experiment."""

import xarray as xr


def of(results: xr.DataTree, experiment: str) -> xr.Dataset:
    """One experiment's data."""
    return results[experiment].to_dataset()


def with_experiment(results: xr.DataTree, name: str, data: xr.Dataset) -> xr.DataTree:
    """The same results with one experiment in place of another.

    >>> run = xr.DataTree.from_dict({"main": xr.Dataset({"a": 1}), "control": xr.Dataset({"a": 0})})
    >>> of(with_experiment(run, "main", of(run, "control")), "main").a.item()
    0
    """
    others = {each: node.to_dataset() for each, node in results.children.items()}
    return xr.DataTree.from_dict({**others, name: data})
