#!/usr/bin/python3
"""The description itself, and that check_answers.py finds faults."""

import base64
import json
import subprocess
import sys
import unittest

from check_answers import Checker
from description import METHODS, ROOT, Description, read_yaml

ETAG = '"2cf24dba5fb0a30e26e83b2ac5b9e29e"'
HIT = [
    ["ETag", ETAG],
    ["Last-Modified", "Wed, 25 Nov 2026 12:47:36 GMT"],
    ["Age", "0"],
    ["Cache-Control", "no-cache"],
    ["Cache-Status", "steadycache; hit"],
    ["X-Content-Type-Options", "nosniff"],
    ["Content-Security-Policy", "sandbox; default-src 'none'"],
    ["X-Frame-Options", "DENY"],
    ["Cross-Origin-Resource-Policy", "same-origin"],
    ["Accept-Ranges", "bytes"],
    ["Content-Type", "text/css"],
]
JSON = [["Content-Type", "application/json; charset=UTF-8"]]
PROBLEM = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no", "error": "no"}


def answer(method, target, status, headers=(), body=b"", request=None):
    """A line of a record."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    return {
        "method": method,
        "target": target,
        "request": None if request is None else base64.b64encode(request).decode(),
        "status": status,
        "headers": [list(header) for header in headers],
        "body": base64.b64encode(body).decode(),
        "size": len(body),
    }


def without(headers, name):
    return [header for header in headers if header[0] != name]


def with_value(headers, name, value):
    return without(headers, name) + [[name, value]]


class TheDocument(unittest.TestCase):
    description = Description(read_yaml())

    def test_json_says_what_yaml_says(self):
        made = subprocess.run([sys.executable, ROOT / "openapi" / "to_json.py", "--check"], check=False)
        self.assertEqual(made.returncode, 0)
        with open(ROOT / "openapi" / "openapi.json", encoding="utf-8") as file:
            self.assertEqual(json.load(file), self.description.document)

    def check_examples(self, place, owner):
        """The examples of a parameter, a header or a media type."""
        examples = [e["value"] for e in owner.get("examples", {}).values()]
        examples += [owner["example"]] if "example" in owner else []
        for example in examples:
            complaints = self.description.complaints(owner.get("schema", {}), example, is_closed=True)
            self.assertEqual(complaints, [], f"{place}: {example}")
        return len(examples)

    def walk(self, place, part):
        count = 0
        if isinstance(part, dict):
            if isinstance(part.get("examples"), dict) or "example" in part:
                count += self.check_examples(place, part)
            elif isinstance(part.get("examples"), list):
                for example in part["examples"]:
                    self.assertEqual(self.description.complaints(part, example), [], place)
                    count += 1
            for name, inner in part.items():
                if name not in ("example", "examples"):
                    count += self.walk(f"{place}/{name}", inner)
        elif isinstance(part, list):
            for index, inner in enumerate(part):
                count += self.walk(f"{place}/{index}", inner)
        return count

    def test_examples_are_what_their_schemas_say(self):
        self.assertGreater(self.walk("#", self.description.document), 80)

    def test_every_body_and_header_has_an_example_and_no_optional_parameter_has(self):
        """Swagger UI fills its form with the examples of parameters, and sends them."""
        components = self.description.document["components"]
        for name, part in components["headers"].items():
            self.assertIn("example", part, f"headers/{name}")
        for method, path, item, operation in self.description.operations():
            for part in self.description.parameters(item, operation):
                place = f"{method} {path} {part['name']}"
                schema = self.description.resolve(part["schema"])
                self.assertEqual("example" in part, part.get("required", False), place)
                self.assertFalse({"example", "examples"} & schema.keys(), place)
        for method, path, _, operation in self.description.operations():
            parts = dict(operation["responses"])
            if "requestBody" in operation:
                parts["request"] = operation["requestBody"]
            for name, part in parts.items():
                for media_type, media in self.description.resolve(part).get("content", {}).items():
                    if not path.startswith("/openapi."):
                        self.assertTrue({"example", "examples"} & media.keys(),
                                        f"{method} {path} {name} {media_type}")

    def test_problems_in_examples_have_the_status_that_they_are_an_example_of(self):
        for method, path, _, operation in self.description.operations():
            for status, response in operation["responses"].items():
                content = self.description.resolve(response).get("content", {})
                example = content.get("application/problem+json", {}).get("example")
                if example:
                    self.assertEqual(str(example["status"]), status, f"{method} {path}")

    def test_operations_that_want_the_token_say_what_comes_without(self):
        for method, path, _, operation in self.description.operations():
            wants = operation.get("security") != []
            self.assertEqual({"401", "403", "429"} <= operation["responses"].keys(), wants, f"{method} {path}")

    def test_every_body_has_a_schema_and_what_is_no_text_is_binary(self):
        """Without it, generated clients send nothing, or JSON of it."""
        for method, path, _, operation in self.description.operations():
            parts = dict(operation["responses"])
            parts["request"] = operation.get("requestBody", {})
            for name, part in parts.items():
                for media_type, media in self.description.resolve(part).get("content", {}).items():
                    place = f"{method} {path} {name} {media_type}"
                    self.assertNotIn("*", media_type, place)
                    schema = self.description.resolve(media.get("schema"))
                    self.assertIsNotNone(schema, place)
                    if media_type == "application/octet-stream":
                        self.assertEqual((schema["type"], schema["format"]), ("string", "binary"), place)

    def test_a_url_of_any_length_may_be_too_long(self):
        for method, path, item, operation in self.description.operations():
            free = [p["name"] for p in self.description.parameters(item, operation)
                    if p["in"] in ("path", "query") and p["name"] != "pretty"
                    and self.description.resolve(p["schema"]).keys() <= {"type", "minLength", "description"}]
            self.assertEqual("414" in operation["responses"], bool(free), f"{method} {path} {free}")

    def test_paths_name_their_variables(self):
        for method, path, item, operation in self.description.operations():
            named = {p["name"] for p in self.description.parameters(item, operation) if p["in"] == "path"}
            self.assertEqual(named, {part.split("}")[0] for part in path.split("{")[1:]}, path)

    def test_no_method_is_misspelt(self):
        allowed = set(METHODS) | {"parameters", "summary", "description"}
        for path, item in self.description.document["paths"].items():
            self.assertLessEqual(item.keys(), allowed, path)


class TheChecker(unittest.TestCase):
    description = Description(read_yaml())

    def complaints(self, *args, **kwargs):
        checker = Checker(self.description)
        checker.check(answer(*args, **kwargs))
        return [sentence for _, _, _, sentence in checker.wrong]

    def assert_good(self, *args, **kwargs):
        self.assertEqual(self.complaints(*args, **kwargs), [])

    def assert_bad(self, word, *args, **kwargs):
        self.assertIn(word, " | ".join(self.complaints(*args, **kwargs)))

    def test_good_answers(self):
        self.assert_good("GET", "/cache/n/a/b?pretty", 200, HIT, b"hello")
        self.assert_good("HEAD", "/cache/n/k", 200, HIT)
        self.assert_good("HEAD", "/cache", 200, JSON)
        self.assert_good("PUT", "/cache/n/k?ttl=5", 201, [["ETag", ETAG]])
        self.assert_good("POST", "/api/get", 200, JSON, {"found": True, "value": "v"},
                         request=b'{"cache_name":"n","key":"k"}')
        self.assert_good("GET", "/nope", 404, [["Content-Type", "application/problem+json"]], PROBLEM)

    def test_a_status_that_is_not_described(self):
        self.assert_bad("status", "GET", "/cache/n/k", 418)
        self.assert_bad("status", "GET", "/nope", 200, JSON, {})

    def test_a_path_that_is_described_and_not_there(self):
        self.assert_bad("404 at a path", "TRACE", "/cache/n/k", 404,
                        [["Content-Type", "application/problem+json"]], PROBLEM)

    def test_headers(self):
        self.assert_bad("ETag is missing", "GET", "/cache/n/k", 200, without(HIT, "ETag"), b"x")
        self.assert_bad("header ETag", "GET", "/cache/n/k", 200, with_value(HIT, "ETag", "W/x"), b"x")
        self.assert_bad("header Age", "GET", "/cache/n/k", 200, with_value(HIT, "Age", "old"), b"x")
        self.assert_bad("header Age", "GET", "/cache/n/k", 200, with_value(HIT, "Age", "-1"), b"x")
        self.assert_bad("x-new is not described", "GET", "/cache/n/k", 200, HIT + [["X-New", "1"]], b"x")

    def test_headers_of_any_answer(self):
        self.assert_good("GET", "/cache/n/k", 200, HIT + [["X-Request-Id", "a-1"]], b"x")
        self.assert_bad("header X-Request-Id", "GET", "/cache/n/k", 200, HIT + [["X-Request-Id", 'a"1']], b"x")

    def test_content_types(self):
        self.assert_bad("content type", "GET", "/stats/n", 200, [["Content-Type", "text/html"]], b"x")
        self.assert_bad("content type", "GET", "/stats/n", 200, [], b"x")
        self.assert_bad("Content-Type is missing", "HEAD", "/stats/n", 200)

    def test_bodies(self):
        self.assert_bad("no application/json", "POST", "/api/get", 200, JSON, b"{")
        self.assert_bad("body", "POST", "/api/get", 200, JSON, {"found": True})
        self.assert_bad("body", "POST", "/api/exists", 200, JSON, {"exists": 1})
        self.assert_bad("body", "POST", "/api/exists", 200, JSON, {"exists": True, "more": 1})
        self.assert_bad("has a body", "DELETE", "/cache/n/k", 204, [], b"x")
        self.assert_bad("HEAD has a body", "HEAD", "/cache/n/k", 200, HIT, b"x")
        self.assert_bad("body", "GET", "/healthz", 200, [["Content-Type", "text/plain"]], b"no\n")

    def test_what_any_request_may_get(self):
        problem = {"type": "about:blank", "title": "t", "status": 431, "detail": "d", "error": "d"}
        problem_type = [["Content-Type", "application/problem+json"]]
        self.assert_good("GET", "/healthz", 431, problem_type, problem)
        self.assert_good("POST", "/nope", 414, JSON, {"error": "d"})
        self.assert_bad("content type", "POST", "/nope", 414, [], b"<html></html>")
        self.assert_bad("status", "GET", "/healthz", 432, problem_type, problem)
        self.assert_bad("body", "GET", "/healthz", 503, [["Content-Type", "application/problem+json"]], {})

    def test_requests(self):
        created = [["ETag", ETAG]]
        self.assert_bad("not described: lease", "PUT", "/cache/n/k?lease=1", 201, created)
        self.assert_bad("parameter ttl", "PUT", "/cache/n/k?ttl=soon", 201, created)
        self.assert_bad("described otherwise", "POST", "/api/exists", 200, JSON, {"exists": True},
                        request=b'{"cache_name":"n"}')
        self.assert_bad("not JSON", "POST", "/api/exists", 200, JSON, {"exists": True}, request=b"{")

    def test_what_was_never_seen(self):
        checker = Checker(self.description)
        checker.check(answer("DELETE", "/cache/n/k", 204))
        lines = {line.split(":")[0]: line.split(":")[1].split() for line in checker.never_seen()}
        self.assertNotIn("204", lines["deleteEntry"])
        self.assertIn("404", lines["deleteEntry"])
        self.assertIn("200", lines["getEntry"])


if __name__ == "__main__":
    unittest.main()
