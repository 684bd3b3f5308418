"""`synthcore verify`: recorded numbers, run again."""

import json


def record(project: "Project") -> None:
    done = project.run("run", "toy", "--scale", "smoke", "--record", "--out", "elsewhere")
    assert done.returncode == 0, done.stderr


def test_the_same_code_gives_the_same_numbers(copy: "Project") -> None:
    record(copy)
    done = copy.run("verify", "toy", "--json")
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)
    assert (row["claim"], row["scale"], row["word"]) == ("C1", "smoke", "same")
    assert row["recorded"] == row["now"]
    # One seed of three: another mean, in the interval of the three; too few seeds for a verdict.
    [row] = json.loads(copy.run("verify", "--sample", "2", "--json").stdout)
    assert row["word"] in ("within interval", "undecided")


def test_other_code_is_found_out(copy: "Project") -> None:
    record(copy)
    copy.edit("notebooks/toy.py", "[rate + s for", "[rate + 50 + s for")
    done = copy.run("verify")
    assert done.returncode == 1
    assert "1 of 1 numbers are not as recorded: toy (smoke) C1" in done.stderr


def test_nothing_recorded_or_parameters_that_are_gone(copy: "Project") -> None:
    done = copy.run("verify")
    assert done.returncode == 2
    assert "No recorded run" in done.stderr
    record(copy)
    copy.edit("synthcore/studies/toy/experiment.py", "rate: float", "pace: float")
    copy.edit("notebooks/params/smoke/toy.yaml", "rate", "pace")
    copy.edit("notebooks/toy.py", "rate = 0.5", "pace = 0.5")
    done = copy.run("verify")
    assert done.returncode == 2
    assert "toy no longer takes its recorded parameters: Unknown parameter 'rate'" in done.stderr
