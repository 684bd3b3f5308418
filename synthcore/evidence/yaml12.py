"""YAML by the rules of its version 1.2: `off` is text, `1e-3` is a number, `010` is ten.

No tag is executed, and a key may stand only once.
"""

import re
from typing import Any

import yaml


def load_yaml(text: str) -> Any:
    """The value that a YAML document holds. Raises yaml.YAMLError, with the place of a fault where
    it is known.

    >>> load_yaml("{rate: 1e-3, schedule: off, seed: 010}")
    {'rate': 0.001, 'schedule': 'off', 'seed': 10}
    """
    try:
        return yaml.load(text, Loader=_Yaml)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        # a tag that its value does not fit, thousands of digits or of brackets
        raise yaml.YAMLError(f"it holds a value that cannot be read ({error})") from None


class _Yaml(yaml.SafeLoader):
    """YAML 1.2 scalars, each key once."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a name is a list or a mapping", problem_mark=key.start_mark
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"'{key.value}' stands twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        return int(self.construct_scalar(node))


_Yaml.add_constructor("tag:yaml.org,2002:int", _Yaml.construct_yaml_int)
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
):
    _Yaml.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), [*_first, ""]
    )
