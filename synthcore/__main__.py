"""`python -m synthcore` is `synthcore`."""

import sys


def main() -> None:
    """The command line; what it needs beyond the library is the extra `[press]`."""
    try:
        from synthcore.press.cli import main as command
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] == "synthcore":
            raise
        sys.stderr.write(
            f"the package {missing.name} is missing: the command `synthcore` needs the extra "
            "[press]: pip install 'synthcore[press]'\n"
        )
        raise SystemExit(2) from missing
    command()


if __name__ == "__main__":
    main()
