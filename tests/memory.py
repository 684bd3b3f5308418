"""How much memory torch holds at most while something is computed."""

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile


def numbers_held(compute: Callable[[], object]) -> int:
    """The most float32 numbers that were allocated on the CPU at once beyond those before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        compute()
    assert profiler.profiler is not None
    assert profiler.profiler.kineto_results is not None
    events = profiler.profiler.kineto_results.events()
    allocations = sorted(
        (event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"
    )
    now = most = 0
    for _, size in allocations:
        now += size
        most = max(most, now)
    return most // 4
