#!/usr/bin/python3
"""Compares recorded answers of a server with openapi/openapi.yaml.

usage: tests/openapi/check_answers.py FOLDER

tests/support/http_record.h writes the files of FOLDER. For each answer: the status must be described for the
operation, and so must the content type; required headers must exist, match their schema, and every header
must be described; the body must match its schema, without undescribed members. For requests that succeeded,
query parameters and JSON bodies must be described too. Prints the faults (exit 1), and which described
answers no test has ever received."""

import base64
import collections
import json
import pathlib
import sys
import urllib.parse

from description import Description, read_yaml

# Headers of HTTP itself, on any answer.
COMMON_HEADERS = {"date", "connection", "content-length", "content-type", "transfer-encoding"}

# Headers that clients store with values; OpenAPI cannot describe a prefix.
KEPT_PREFIX = "x-meta-"

# Query parameters that the conformance suite sends to check that they are ignored.
IGNORED_QUERIES = {"b", "x", "a", "%a", "%"}


def is_json(media_type):
    return media_type == "application/json" or media_type.endswith("+json")


def decoded(text):
    return None if text is None else base64.b64decode(text)


class Checker:
    """Collects faults of answers, and which answers were seen."""

    def __init__(self, description):
        self.description = description
        self.seen = collections.Counter()
        self.wrong = {}
        self.verdicts = {}
        self.answers = 0

    def check(self, answer):
        """One line of a record."""
        self.answers += 1
        path, operation = self.description.find(answer["method"], answer["target"])
        status = str(answer["status"])
        document = self.description.document
        if operation is None:
            responses = document.get("x-other-requests", {})
        else:
            responses = operation["responses"]
            if answer["method"].lower() in document["paths"][path]:  # not a HEAD in place of its GET
                self.seen[(operation["operationId"], status)] += 1
        any_request = document.get("x-any-request", {}).get(status)
        sentences = self.check_against(answer, responses.get(status, any_request))
        if sentences and any_request and not self.check_against(answer, any_request):
            return
        if operation is None and path is not None and status == "404" and answer["method"] != "PROPFIND":
            sentences.append("404 at a path that is described")
        if operation is not None and 200 <= answer["status"] < 300:
            sentences += self.check_request(answer, path, operation)
        for sentence in sentences:
            self.wrong.setdefault((answer["method"], path, status, sentence), answer["target"])

    def check_against(self, answer, response):
        """The faults of an answer, compared with a description."""
        response = self.description.resolve(response)
        if response is None:
            return ["the status is not described"]
        headers = {}
        for name, value in answer["headers"]:  # several lines are one list (RFC 9110, 5.3)
            name = name.lower()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return self.check_headers(answer, response, headers) + self.check_body(answer, response, headers)

    def check_headers(self, answer, response, headers):
        sentences = []
        described = set()
        common = self.description.document.get("x-any-answer", {}).get("headers", {})
        for name, header in (common | response.get("headers", {})).items():
            header = self.description.resolve(header)
            described.add(name.lower())
            if name.lower() in headers:
                value = headers[name.lower()]
                sentences += [f"header {name}: {complaint}" for complaint
                              in self.description.text_complaints(header["schema"], value)]
            elif header.get("required"):
                sentences.append(f"the header {name} is missing")
        unknown = {name for name in headers if not name.startswith(KEPT_PREFIX)} - described - COMMON_HEADERS
        return sentences + [f"the header {name} is not described" for name in sorted(unknown)]

    def check_body(self, answer, response, headers):
        content = response.get("content", {})
        has_type = "content-type" in headers
        if answer["method"] == "HEAD":
            if answer["size"] != 0:
                return ["an answer to HEAD has a body"]
            return ["the header Content-Type is missing"] if content and not has_type else []
        if not content:
            return ["it has a body, and none is described"] if answer["size"] != 0 else []
        media_type = headers.get("content-type", "").split(";")[0].strip().lower()
        # A stored value comes with the type that it was stored with.
        media = content.get(media_type, content.get("application/octet-stream", content.get("*/*")))
        if media is None or not has_type:
            return [f'the content type "{media_type}" is not described']
        schema = self.description.resolve(media.get("schema", {}))
        return [] if schema.get("format") == "binary" else self.check_content(answer, media_type, schema)

    def check_content(self, answer, media_type, schema):
        body = decoded(answer["body"])
        if body is None:
            return []  # too long to be recorded, which JSON never is
        try:
            text = body.decode()
            value = json.loads(text) if is_json(media_type) else text
        except ValueError as error:
            return [f"the body is no {media_type}: {error}"]
        key = (id(schema), text)
        # Thousands of answers have one of a few short bodies.
        if key in self.verdicts:
            return self.verdicts[key]
        complaints = self.description.complaints(schema, value, is_closed=True)
        sentences = [f"body {complaint}" for complaint in complaints]
        if len(text) <= 500:
            self.verdicts[key] = sentences
        return sentences

    def check_request(self, answer, path, operation):
        sentences = []
        item = self.description.document["paths"][path]
        parameters = {p["name"]: p for p in self.description.parameters(item, operation)
                      if p["in"] == "query"}
        query = answer["target"].partition("?")[2]
        for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True, errors="replace"):
            if name in parameters:
                sentences += [f"it has taken the query parameter {name}: {complaint}" for complaint
                              in self.description.text_complaints(parameters[name]["schema"], value)]
            elif name not in IGNORED_QUERIES:
                sentences.append(f"it has taken a query parameter that is not described: {name}")
        body = decoded(answer["request"])
        described = self.description.resolve(operation.get("requestBody", {}))
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None or not body:
            return sentences
        try:
            value = json.loads(body.decode("utf-8-sig"))  # a byte order mark is ignored
        except ValueError as error:
            return sentences + [f"it has taken a body that is not JSON: {error}"]
        return sentences + [f"it has taken a body that is described otherwise: {complaint}"
                            for complaint in self.description.complaints(schema, value)]

    def never_seen(self):
        """"operation: status status ..." for described answers that no test received."""
        for _, _, _, operation in self.description.operations():
            missing = [s for s in operation["responses"] if (operation["operationId"], s) not in self.seen]
            if missing:
                yield f"{operation['operationId']}: {' '.join(missing)}"


def main(folder):
    checker = Checker(Description(read_yaml()))
    for path in sorted(pathlib.Path(folder).iterdir()):
        with open(path, encoding="utf-8") as file:
            for line in file:
                checker.check(json.loads(line))
    if checker.answers == 0:
        sys.exit("check_answers: the records are empty")
    print("described, and received by no test:")
    for line in checker.never_seen():
        print(f"  {line}")
    for (method, path, status, sentence), target in checker.wrong.items():
        print(f"{method} {path or 'no such path'} -> {status}: {sentence}\n    {target[:120]}")
    print(f"{checker.answers} answers, {len(checker.wrong)} kinds of mismatch")
    sys.exit(1 if checker.wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1])
