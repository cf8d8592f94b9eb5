"""openapi/openapi.yaml for the tests: its operations, and its schemas as validators."""

import copy
import importlib.util
import pathlib
import re

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = ("get", "head", "put", "post", "delete", "patch", "options", "trace")


def read_yaml():
    """The document, read as openapi/to_json.py reads it."""
    spec = importlib.util.spec_from_file_location("to_json", ROOT / "openapi" / "to_json.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.read_yaml()


def closed(schema):
    """The schema with every object closed that does not say what else it may have: clients must expect
    members of later versions, but a test treats them as undescribed."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(part) for name, part in schema.items()}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


def inlined(part, schemas, within=()):
    """The schema with what its references stand for in their place, which halves the time of a check. Those of a
    schema that contains itself stay."""
    if isinstance(part, list):
        return [inlined(each, schemas, within) for each in part]
    if not isinstance(part, dict):
        return part
    made = {name: inlined(each, schemas, within) for name, each in part.items() if name != "$ref"}
    name = part.get("$ref", "").removeprefix("#/components/schemas/")
    if name in schemas and name not in within:
        made["allOf"] = [*made.get("allOf", []), inlined(schemas[name], schemas, (*within, name))]
    elif "$ref" in part:
        made["$ref"] = part["$ref"]
    return made


class Description:
    """A document and the meaning of its parts."""

    def __init__(self, document):
        self.document = document
        self.schemas = document.get("components", {}).get("schemas", {})
        self.closed_schemas = closed(copy.deepcopy(self.schemas))
        # A path without a variable part precedes one with, as /cache/{ns} before /cache/{ns}/{key}.
        self.paths = [
            (self._path_pattern(path), path, item)
            for path, item in sorted(document["paths"].items(), key=lambda entry: entry[0].count("{"))
        ]
        self._validators = {}
        self._verdicts = {}

    @staticmethod
    def _path_pattern(path):
        """As the router reads it: {key} is the rest of the path, any other part is one segment."""
        parts = re.split(r"(\{[^}]*\})", path)
        pattern = "".join(
            "(.+)" if part == "{key}" else "([^/]+)" if part.startswith("{") else re.escape(part)
            for part in parts
        )
        return re.compile(pattern, re.DOTALL)

    def resolve(self, part):
        """The part that a reference stands for."""
        while isinstance(part, dict) and "$ref" in part:
            node = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                node = node[name.replace("~1", "/").replace("~0", "~")]
            part = node
        return part

    def find(self, method, target):
        """(path, operation) of a request. The path is None if it is unknown, and the operation is None if the
        path does not support the method. HEAD is GET unless it is described separately."""
        asked = target.split("?", 1)[0]
        # The paths of facades are there below a namespace, too, where OpenAPI would find them ambiguous.
        below = re.fullmatch(r"/cache/[^/]+(/v8/artifacts/.+|/v1/cache/.+)", asked)
        if below and method in ("GET", "HEAD", "PUT", "POST"):
            asked = below[1]
        for pattern, path, item in self.paths:
            if pattern.fullmatch(asked):
                operation = item.get(method.lower())
                if operation is None and method == "HEAD":
                    operation = item.get("get")
                return path, operation
        return None, None

    def operations(self):
        """(METHOD, path, item, operation) for all."""
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item, item[method]

    def parameters(self, item, operation):
        """All parameters of an operation, resolved."""
        return [self.resolve(p) for p in item.get("parameters", []) + operation.get("parameters", [])]

    def _validator(self, schema, is_closed):
        # By identity: the document keeps its parts alive, so no other schema gets the same id.
        key = (id(schema), is_closed)
        if key not in self._validators:
            # The references of the schema point into the document.
            schemas = self.closed_schemas if is_closed else self.schemas
            self._validators[key] = jsonschema.Draft202012Validator({
                "allOf": [inlined(closed(schema) if is_closed else schema, schemas)],
                "components": {"schemas": schemas},
            })
        return self._validators[key]

    def complaints(self, schema, value, is_closed=False):
        """The faults of the value, as sentences."""
        errors = self._validator(schema, is_closed).iter_errors(value)
        return [f"{error.json_path}: {error.message[:300]}" for error in errors]

    def text_complaints(self, schema, text):
        """The same for a header or a query parameter, whose number is text."""
        wanted = self.resolve(schema).get("type")
        value = text
        if wanted == "integer" and re.fullmatch(r"-?\d+", text):
            value = int(text)
        elif wanted == "number" and re.fullmatch(r"-?\d+(\.\d+)?", text):
            value = float(text)
        key = (id(schema), value)
        if key not in self._verdicts:
            self._verdicts[key] = self.complaints(schema, value)
        return self._verdicts[key]
