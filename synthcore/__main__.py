"""`python -m synthcore` is `synthcore`."""

from synthcore.press.cli import main

if __name__ == "__main__":
    main()
