#!/usr/bin/env python3
"""Compares signatures of requests of every shape with those of botocore (Debian: python3-boto3).

    test_sigv4.py SIGN_REQUESTS [--count N]

Exit 77: there is no botocore.
"""
import argparse
import datetime
import hashlib
import random
import subprocess
import sys
from urllib.parse import quote, urlsplit

try:
    import botocore.auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    print("test_sigv4: skipped: no botocore (Debian: python3-boto3)")
    sys.exit(77)

ALPHABETS = ["abz019-._~", "AZ aZ+%", "/", "ü漢🙂", "=&?#,:;@!$'()*[]\"<>\\^`{|}", "\x01\x7f"]


class Clock(datetime.datetime):
    """What botocore takes for the time: older ones ask datetime, others a function of theirs."""
    fixed = None

    @classmethod
    def utcnow(cls):
        return cls.fixed


botocore.auth.datetime = type("datetime", (), {"datetime": Clock})
botocore.auth.get_current_datetime = Clock.utcnow


def some_text(most):
    letters = "".join(random.sample(ALPHABETS, random.randint(1, 3)))
    return "".join(random.choice(letters) for _ in range(random.randint(0, most)))


def some_path(is_s3):
    """Encoded; of S3 also with "//" and dots, which are part of a name there."""
    pieces = [quote(some_text(12), safe="~") for _ in range(random.randint(0, 4))]
    if random.random() < 0.3:
        pieces.insert(random.randint(0, len(pieces)), random.choice(["", ".", "..", "..."]))
    if random.random() < 0.2:
        pieces.append("")
    return "/" + "/".join(pieces) if is_s3 or random.random() < 0.5 else "/"


def some_query():
    pairs = []
    for _ in range(random.choice([0, 0, 1, 2, 5])):
        name = quote(some_text(6), safe="~") or random.choice(["uploads", "a", "a-b", "a.b", "A"])
        pairs.append(f"{name}={quote(some_text(8), safe='~')}" if random.random() < 0.9 else f"{name}=")
    return "&".join(pairs)


def some_headers():
    headers = {}
    for name in random.sample(["Content-Type", "x-amz-target", "X-Amz-Meta-Name", "Range", "If-Match", "x-amz-acl"],
                              random.randint(0, 4)):
        headers[name] = random.choice(["plain", "  two  blanks ", "a,b", "é", "bytes=0-9", "x  y   z"])
    return headers


def make(number):
    is_s3 = random.random() < 0.6
    path, query = some_path(is_s3), some_query()
    host = random.choice(["bucket.s3.amazonaws.com", "127.0.0.1:4567", "dynamodb.eu-west-1.amazonaws.com", "[::1]:9000"])
    secure = random.random() < 0.5
    body = random.randbytes(random.choice([0, 10, 5000]))
    is_unsigned = is_s3 and secure and random.random() < 0.3
    headers = some_headers()
    if is_unsigned:
        headers["Content-MD5"] = "1B2M2Y8AsgTpgAmY7PhCfg=="  # without it botocore signs the body
    seconds = random.choice([0, 951827696, 1369353600, 4102444799, random.randrange(1 << 32)])
    return {
        "method": random.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]),
        "host": host, "path": path, "query": query, "service": "s3" if is_s3 else "dynamodb",
        "region": random.choice(["us-east-1", "eu-north-1", "auto"]), "body": body,
        "hash": "UNSIGNED-PAYLOAD" if is_unsigned else hashlib.sha256(body).hexdigest(), "seconds": seconds,
        "access": f"AKIA{number}", "secret": some_secret(), "token": random.choice(["", "", "IQoJ/+=" * 50]),
        "headers": headers, "secure": secure}


def some_secret():
    return "".join(random.choice("abcXYZ019/+=") for _ in range(random.choice([1, 40, 64])))


def theirs(case):
    """The headers that botocore adds."""
    Clock.fixed = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=case["seconds"])
    scheme = "https" if case["secure"] else "http"
    url = f"{scheme}://{case['host']}{case['path']}" + (f"?{case['query']}" if case["query"] else "")
    assert urlsplit(url).path == case["path"]
    request = AWSRequest(case["method"], url, headers=case["headers"], data=case["body"])
    request.context["payload_signing_enabled"] = case["hash"] != "UNSIGNED-PAYLOAD"
    request.context["has_streaming_input"] = True
    kind = botocore.auth.S3SigV4Auth if case["service"] == "s3" else botocore.auth.SigV4Auth
    credentials = Credentials(case["access"], case["secret"], case["token"] or None)
    kind(credentials, case["service"], case["region"]).add_auth(request)
    return {name: request.headers[name] for name in
            ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256") if name in request.headers}


def ours(program, cases):
    fields = ("method", "host", "path", "query", "service", "region", "hash", "seconds", "access", "secret", "token")
    lines = ["\t".join([*(str(case[field]) for field in fields),
                        *(f"{name}: {value}" for name, value in case["headers"].items())]) for case in cases]
    answer = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, check=True, text=True,
                            encoding="utf-8").stdout
    blocks = answer.split("\n\n")[:-1]
    assert len(blocks) == len(cases), answer[-500:]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    random.seed(options.seed)
    cases = [make(number) for number in range(options.count)]
    for case, found in zip(cases, ours(options.program, cases)):
        wanted = theirs(case)
        lowered = {name.lower(): value for name, value in found.items()}
        for name, value in wanted.items():
            if lowered.get(name.lower()) != value:
                del case["body"]
                sys.exit(f"test_sigv4: seed {options.seed}: {case}\nbotocore: {name}: {value}\n"
                         f"ours:     {name}: {lowered.get(name.lower())}")
        if case["service"] != "s3" and "x-amz-content-sha256" in lowered:
            sys.exit("test_sigv4: X-Amz-Content-Sha256 for another service than S3")
    print(f"test_sigv4: {len(cases)} signatures as botocore's (seed {options.seed})")


if __name__ == "__main__":
    main()
