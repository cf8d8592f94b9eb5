#!/usr/bin/python3
"""Holds recorded answers of a server against openapi/openapi.yaml.

usage: tests/openapi/check_answers.py RECORD...

A RECORD is what tests/support/http_record.h writes. Of each answer: the status must be described for
the operation, as must the content type; headers must be there where they are required, have what
their schema wants, and be described at all; the body must be what its schema says, without a member
that nobody described. Of requests that succeeded, query parameters and JSON bodies must be described
too. Prints what is wrong (exit 1), and which described answers no test has ever received.
"""

import base64
import collections
import json
import sys
import urllib.parse

from description import Description, read_yaml

# Of HTTP itself, on any answer.
COMMON_HEADERS = {"date", "connection", "content-length", "content-type", "transfer-encoding"}

# Query parameters that the conformance suite sends to see them ignored.
IGNORED_QUERIES = {"b", "x"}


def is_json(media_type):
    return media_type == "application/json" or media_type.endswith("+json")


def decoded(text):
    return None if text is None else base64.b64decode(text)


class Checker:
    """Collects what is wrong with answers, and which were seen."""

    def __init__(self, description):
        self.description = description
        self.seen = collections.Counter()
        self.wrong = collections.OrderedDict()
        self.answers = 0

    def complain(self, answer, sentence):
        key = (answer["method"], self.description.find(answer["method"], answer["target"])[0],
               answer["status"], sentence)
        self.wrong.setdefault(key, answer["target"])

    def check(self, answer):
        """One line of a record."""
        self.answers += 1
        path, operation = self.description.find(answer["method"], answer["target"])
        if operation is None:
            responses = self.description.document.get("x-other-requests", {})
            if path is not None and answer["status"] == 404:
                self.complain(answer, "404 at a path that is described")
        else:
            responses = operation["responses"]
            item = self.description.document["paths"][path]
            if answer["method"].lower() in item:  # not a HEAD in place of its GET
                self.seen[(operation["operationId"], str(answer["status"]))] += 1
        response = self.description.resolve(responses.get(str(answer["status"])))
        if response is None:
            self.complain(answer, "the status is not described")
            return
        headers = collections.OrderedDict((name.lower(), value) for name, value in answer["headers"])
        self.check_headers(answer, response, headers)
        self.check_body(answer, response, headers)
        if operation is not None and 200 <= answer["status"] < 300:
            self.check_request(answer, path, operation)

    def check_headers(self, answer, response, headers):
        described = {}
        for name, header in response.get("headers", {}).items():
            header = self.description.resolve(header)
            described[name.lower()] = header
            if name.lower() not in headers:
                if header.get("required"):
                    self.complain(answer, f"the header {name} is missing")
                continue
            value = headers[name.lower()]
            for complaint in self.description.text_complaints(header["schema"], value):
                self.complain(answer, f"header {name}: {complaint}")
        for name in headers.keys() - described.keys() - COMMON_HEADERS:
            self.complain(answer, f"the header {name} is not described")

    def check_body(self, answer, response, headers):
        content = response.get("content", {})
        if answer["method"] == "HEAD":
            if answer["size"] != 0:
                self.complain(answer, "an answer to HEAD has a body")
            if content and "content-type" not in headers:
                self.complain(answer, "the header Content-Type is missing")
            return
        if not content:
            if answer["size"] != 0:
                self.complain(answer, "it has a body, and none is described")
            return
        media_type = headers.get("content-type", "").split(";")[0].strip().lower()
        media = content.get(media_type, content.get("*/*"))
        if media is None or not headers.get("content-type"):
            self.complain(answer, f'the content type "{media_type}" is not described')
        elif "schema" in media:
            self.check_content(answer, media_type, media["schema"])

    def check_content(self, answer, media_type, schema):
        body = decoded(answer["body"])
        if body is None:
            return  # too long to be recorded, which no JSON is
        try:
            text = body.decode()
            value = json.loads(text) if is_json(media_type) else text
        except ValueError as error:
            self.complain(answer, f"the body is no {media_type}: {error}")
            return
        for complaint in self.description.complaints(schema, value, is_closed=True):
            self.complain(answer, f"body {complaint}")

    def check_request(self, answer, path, operation):
        item = self.description.document["paths"][path]
        parameters = {(p["in"], p["name"]): p for p in self.description.parameters(item, operation)}
        query = answer["target"].partition("?")[2]
        for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True, errors="replace"):
            parameter = parameters.get(("query", name))
            if parameter is None and name in IGNORED_QUERIES:
                continue
            if parameter is None:
                self.complain(answer, f"it has taken a query parameter that is not described: {name}")
                continue
            for complaint in self.description.text_complaints(parameter["schema"], value):
                self.complain(answer, f"it has taken the query parameter {name}: {complaint}")
        body = decoded(answer["request"])
        described = self.description.resolve(operation.get("requestBody", {}))
        schema = described.get("content", {}).get("application/json", {}).get("schema")
        if schema is None or not body:
            return
        try:
            value = json.loads(body.decode())
        except ValueError as error:
            self.complain(answer, f"it has taken a body that is not JSON: {error}")
            return
        for complaint in self.description.complaints(schema, value):
            self.complain(answer, f"it has taken a body that is described otherwise: {complaint}")

    def never_seen(self):
        """"operation: status status ..." for what is described and did not come."""
        for _, _, _, operation in self.description.operations():
            missing = [s for s in operation["responses"] if (operation["operationId"], s) not in self.seen]
            if missing:
                yield f"{operation['operationId']}: {' '.join(missing)}"


def main(paths):
    checker = Checker(Description(read_yaml()))
    for path in paths:
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
    main(sys.argv[1:])
