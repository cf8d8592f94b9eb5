"""Talks to a server as SteadyText's D1 cache client does.

SteadyText itself is not installed on a test machine. This does with the standard library what its
client does with httpx: pickled values in base64, keys that are str() of Python objects, one
connection kept alive, a bearer token, status >= 400 is an error.

usage: steadytext_client.py URL KEY
"""

import base64
import http.client
import json
import pickle
import sys
import urllib.parse


class D1Client:
    def __init__(self, url, key, cache_name, max_size_mb=50.0):
        parts = urllib.parse.urlsplit(url.rstrip("/"))
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.cache_name = cache_name
        answer = self.post("/api/init", max_size_mb=max_size_mb)
        assert answer == {"success": True, "message": "Cache initialized"}, answer

    def post(self, path, **members):
        body = json.dumps({"cache_name": self.cache_name, **members})
        self.connection.request("POST", path, body.encode(), self.headers)
        response = self.connection.getresponse()
        text = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{path}: {response.status} {text!r}")
        assert response.headers["Content-Type"].startswith("application/json"), path
        return json.loads(text)

    @staticmethod
    def pack(value):
        return base64.b64encode(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)).decode()

    @staticmethod
    def unpack(result):
        return pickle.loads(base64.b64decode(result["value"])) if result.get("found") else None

    def get(self, key):
        return self.unpack(self.post("/api/get", key=str(key)))

    def set(self, key, value):
        packed = self.pack(value)
        assert self.post("/api/set", key=str(key), value=packed, size=len(packed)) == {
            "success": True
        }

    def delete(self, key):
        self.post("/api/delete", key=str(key))

    def exists(self, key):
        return self.post("/api/exists", key=str(key))["exists"]

    def batch_get(self, keys):
        results = self.post("/api/batch/get", keys=[str(key) for key in keys])["results"]
        return {key: self.unpack(results[str(key)]) for key in keys if results[str(key)]["found"]}

    def batch_set(self, items):
        packed = [(str(key), self.pack(value)) for key, value in items.items()]
        members = [{"key": key, "value": value, "size": len(value)} for key, value in packed]
        self.post("/api/batch/set", items=members)

    def batch_delete(self, keys):
        self.post("/api/batch/delete", keys=[str(key) for key in keys])

    def clear(self):
        self.post("/api/clear")

    def stats(self):
        return self.post("/api/stats")


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: expected {wanted!r}, got {got!r}")


def use_generation_cache(url, key):
    cache = D1Client(url, key, "generation_cache")
    prompt = "Write a haiku about \u96ea.\n\nUse \"quotes\", a \ttab and \U0001f600. " * 400
    cache.clear()
    expect("a miss", cache.get(prompt), None)
    cache.set(prompt, "Schnee f\u00e4llt \u2744\ufe0f" * 100)
    expect("a hit", cache.get(prompt), "Schnee f\u00e4llt \u2744\ufe0f" * 100)
    expect("a longer key", cache.get(prompt + " "), None)
    cache.set(prompt, {"text": "other", "tokens": [1, 2, 3]})
    expect("an overwrite", cache.get(prompt), {"text": "other", "tokens": [1, 2, 3]})
    expect("exists", cache.exists(prompt), True)
    cache.delete(prompt)
    expect("after delete", cache.exists(prompt), False)
    cache.delete(prompt)


def use_reranking_cache(url, key):
    cache = D1Client(url, key, "reranking_cache", max_size_mb=25.0)
    cache.clear()
    scores = {("model", "a 'query'", f"document {i}"): i / 7 for i in range(200)}
    cache.batch_set(scores)
    expect("all scores", cache.batch_get(list(scores)), scores)
    expect("one score", cache.get(("model", "a 'query'", "document 7")), 1.0)
    stats = cache.stats()
    expect("entry_count", stats["entry_count"], 200)
    expect("max_size_bytes", stats["max_size_bytes"], 25 * 1048576)
    expect("total_size", stats["total_size"], sum(len(D1Client.pack(s)) for s in scores.values()))
    cache.batch_delete(list(scores)[:150])
    expect("after batch delete", len(cache.batch_get(list(scores))), 50)
    cache.clear()
    expect("after clear", cache.stats()["entry_count"], 0)


def use_embedding_cache(url, key):
    cache = D1Client(url, key, "embedding_cache", max_size_mb=0.5)
    cache.clear()
    vectors = {f"text {i}": [i + j / 1024 for j in range(1024)] for i in range(100)}
    for text, vector in vectors.items():
        cache.set(text, vector)
        expect(text, cache.get(text), vector)
    stats = cache.stats()
    if not 0 < stats["total_size"] <= stats["max_size_bytes"] == 524288:
        sys.exit(f"the limit does not hold: {stats}")
    if not 0 < stats["utilization"] <= 1:
        sys.exit(f"utilization: {stats}")
    cache.clear()


def use_wrong_key(url, key):
    try:
        D1Client(url, key + "x", "generation_cache")
    except RuntimeError as error:
        expect("a wrong key", "401" in str(error), True)
    else:
        sys.exit("a wrong key was accepted")


def main(url, key):
    use_generation_cache(url, key)
    use_reranking_cache(url, key)
    use_embedding_cache(url, key)
    use_wrong_key(url, key)


if __name__ == "__main__":
    main(*sys.argv[1:3])
