"""The two ways a command ends badly, and their exit codes."""


class Refused(Exception):  # noqa: N818 - the word users see
    """Bad input; nothing was written. One sentence says what to change. Exit code 2."""


class Failed(Exception):  # noqa: N818
    """A run, a required claim or the site build failed. Exit code 1."""
