#!/usr/bin/python3
"""Makes openapi/openapi.json from openapi/openapi.yaml.

usage: openapi/to_json.py [--check]

The JSON is committed, so that a build needs no Python. --check writes nothing and fails if the JSON does not
match the YAML."""

import json
import pathlib
import re
import sys

import yaml

FOLDER = pathlib.Path(__file__).resolve().parent


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2, as in OpenAPI: no dates, and "no" and "on" are words."""

    def construct_mapping(self, node, deep=False):
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name in names:
            if not isinstance(name, str):
                raise ValueError(f"line {node.start_mark.line + 1}: the name {name!r} is no text")
            if names.count(name) > 1:
                raise ValueError(f"line {node.start_mark.line + 1}: {name} stands there twice")
        return super().construct_mapping(node, deep)


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?[0-9]+", "-0123456789"),
    ("float", r"-?[0-9]+\.[0-9]+", "-0123456789"),
]:
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), list(first))


def read_yaml(path=FOLDER / "openapi.yaml"):
    """The document."""
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, CoreLoader)


def main():
    made = json.dumps(read_yaml(), indent=1, ensure_ascii=False) + "\n"
    target = FOLDER / "openapi.json"
    if "--check" not in sys.argv[1:]:
        target.write_text(made, encoding="utf-8")
    elif target.read_text(encoding="utf-8") != made:
        sys.exit("openapi.json is not what openapi.yaml says: run openapi/to_json.py")


if __name__ == "__main__":
    main()
