#!/usr/bin/python3
"""Prometheus's configuration, the alert rules and Grafana's dashboard, checked by promtool, against the
metrics of real servers, and with a real Prometheus.

usage: test_monitoring.py STEADYCACHE   (the server's program) Exit 77: skipped, because promtool, prometheus
or Python's YAML parser is missing."""
import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

try:
    import yaml
except ImportError:
    print("skipped: not installed: python3-yaml (./dev test installs it)")
    sys.exit(77)

from expressions import check_expression, parse_metrics

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DOCKER = ROOT / "docker"
DOCS = ROOT / "docs"
TOKEN = "a-token-that-only-scrapes"
DEADLINE_S = 20


# ---- Processes ----

def await_value(look, what):
    """Polls until there is a value; returns it."""
    end = time.monotonic() + DEADLINE_S
    while not (value := look()):
        assert time.monotonic() < end, f"waited {DEADLINE_S} s in vain: {what}"
        time.sleep(0.05)
    return value


@contextlib.contextmanager
def process(command, log, **options):
    """A process with its output in the file `log`, ended on exit."""
    with open(log, "w") as output:
        child = subprocess.Popen([str(word) for word in command], stdout=output, stderr=output, **options)
    try:
        yield child
    except BaseException:
        print(f"{command[0]}:\n{log.read_text()[-4000:]}")
        raise
    finally:
        child.terminate()
        child.wait(timeout=DEADLINE_S)


@contextlib.contextmanager
def server(program, folder, *flags):
    """A server on a free port; its address."""
    folder.mkdir()
    log = folder / "log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STEADY")}
    for name in ("D1_API_KEY", "LARGE_ACCESS_KEY", "LARGE_SECRET_KEY"):
        environment[f"STEADYCACHE_{name}"] = "unused"
    command = [program, "serve", "--listen=127.0.0.1:0", f"--data-dir={folder}/data", *flags]
    with process(command, log, env=environment) as child:
        def address():
            assert child.poll() is None, "the server ended"
            return re.search(r"msg=listening address=(\S+)", log.read_text())
        yield await_value(address, "the server listens").group(1)


def ask(address, path, token=None, **options):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"http://{address}{path}", headers=headers, **options)
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
        return answer.read().decode()


def promtool(*words, cwd=None):
    result = subprocess.run(["promtool", *map(str, words)], text=True, capture_output=True, cwd=cwd)
    return result.returncode, result.stdout + result.stderr


def expect_success(*words, cwd=None):
    code, output = promtool(*words, cwd=cwd)
    assert code == 0, f"promtool {' '.join(map(str, words))}:\n{output}"


# ---- promtool ----

def rules_of(text):
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def check_configuration(folder):
    """The configuration; only the path of the token's file is changed."""
    (folder / "metrics-token").write_text(TOKEN + "\n")
    shutil.copy(DOCKER / "prometheus/alerts.yml", folder)
    text = (DOCKER / "prometheus/prometheus.yml").read_text()
    assert "/run/secrets/metrics-token" in text
    (folder / "prometheus.yml").write_text(text.replace("/run/secrets/", f"{folder}/"))
    expect_success("check", "config", folder / "prometheus.yml")
    expect_success("check", "rules", folder / "alerts.yml")


def check_rules(folder):
    """The unit tests of the alerts: for each alert a case that fires and one that does not. Also checks that
    they fail if an alert never fires, or always does."""
    tests = HERE / "alerts_test.yml"
    alerts = (DOCKER / "prometheus/alerts.yml").read_text()
    cases = {}
    for test in yaml.safe_load(tests.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            cases.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    names = [rule["alert"] for rule in rules_of(alerts)]
    assert len(set(names)) == len(names), names
    assert cases == {name: {True, False} for name in names}, cases
    shutil.copy(tests, folder)
    expect_success("test", "rules", tests.name, cwd=folder)
    for expression in ("vector(1) == 2", 'label_replace(vector(1), "instance", "a", "", "")'):
        changed = yaml.safe_load(alerts)
        for group in changed["groups"]:
            for rule in group["rules"]:
                rule["expr"] = expression
        (folder / "alerts.yml").write_text(yaml.safe_dump(changed))
        code, output = promtool("test", "rules", tests.name, cwd=folder)
        missed = [name for name in names if f"alertname: {name}" not in output]
        assert code != 0 and not missed, f"the tests do not notice alerts of {expression}: {missed}"
    (folder / "alerts.yml").write_text(alerts)


# ---- Names ----

def collect_metrics(program, folder):
    """What /metrics exports for servers on sqlite, with large values in a directory and in S3, for those in front
    of an unreachable D1 and of an unreachable Redis Cluster with near caches, for one with routes, and for memory
    that persists: a dict of names to sets of labels."""
    exported = {}
    with server(program, folder / "sqlite", f"--large-values=dir:{folder}/large") as sqlite, \
            server(program, folder / "s3", "--large-values=s3://bucket?endpoint=http://127.0.0.1:1") as s3, \
            server(program, folder / "d1", "--backend=d1", "--d1-url=http://127.0.0.1:9", "--d1-retries=0",
                   "--d1-timeout=1", "--near-mb=1") as d1, \
            server(program, folder / "redis", "--backend=redis://127.0.0.1:9?cluster=1&timeout=1",
                   "--near-mb=1") as redis, \
            server(program, folder / "routed", "--backend=memory", "--route=other_*=sqlite") as routed, \
            server(program, folder / "persist", "--backend=memory", "--persist-every=1") as persist:
        ask(sqlite, "/cache/ns", data=b'{"capacity":3}', method="PUT")
        ask(sqlite, "/cache/ns/k", data=b"v", method="PUT")
        for address in (sqlite, s3, d1, redis, routed, persist):
            for name, labels in parse_metrics(ask(address, "/metrics")).items():
                exported.setdefault(name, set()).update(labels)
    return exported


def dashboard_expressions():
    """The origin of each expression, and the expression as Prometheus would receive it."""
    dashboard = json.loads((DOCKER / "grafana/dashboards/steadycache.json").read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for variable in dashboard["templating"]["list"]:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]).groups()
        yield f"variable {variable['name']}", f'{metric}{{{label}!=""}}'
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
            assert "$" not in expression, expression
            yield f"panel {panel['title']}", expression


def check_names(exported, folder):
    expressions = list(dashboard_expressions())
    expressions += [(rule["alert"], rule["expr"]) for rule in rules_of((DOCKER / "prometheus/alerts.yml").read_text())]
    faults = [f"{where}: {fault}" for where, expression in expressions
              for fault in check_expression(exported, expression)]
    assert not faults, "\n".join(faults)
    # Whether Prometheus can read them at all: as recording rules.
    rules = [{"record": f"x:{i}", "expr": expression} for i, (_, expression) in enumerate(expressions)]
    (folder / "expressions.yml").write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": rules}]}))
    expect_success("check", "rules", folder / "expressions.yml")
    # The check itself must find faults.
    for good, bad in (("steadycache_connections", "steadycache_conections"),
                      ('{status=~"5.."}', '{code=~"5.."}'), ("by (instance)", "by (instnce)"),
                      ("_duration_seconds_bucket", "_duration_seconds_buckets")):
        assert any(check_expression(exported, expression.replace(good, bad))
                   for _, expression in expressions), f"{bad} is not found to be wrong"
    print(f"{len(expressions)} expressions, {len(exported)} metrics")


def check_documents(exported):
    """docs/operations.md has each alert, docs/metrics.md each metric, and neither has others."""
    alerts = {rule["alert"] for rule in rules_of((DOCKER / "prometheus/alerts.yml").read_text())}
    told = set(re.findall(r"\bSteadycache\w+", (DOCS / "operations.md").read_text()))
    assert told == alerts, f"not told: {sorted(alerts - told)}, not there: {sorted(told - alerts)}"
    text = (DOCS / "metrics.md").read_text()
    named = set(re.findall(r"^\| `((?:steadycache|process)_[a-z0-9_]+)`", text, re.M))
    parts = re.compile(r"_(bucket|sum|count)$")
    wanted = {parts.sub("", name) if name.startswith("steadycache_request_duration") else name for name in exported}
    assert named == wanted, f"not told: {sorted(wanted - named)}, not there: {sorted(named - wanted)}"


# ---- The combined compose files ----

def check_compose():
    base = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    more = yaml.safe_load((DOCKER / "compose.monitoring.yaml").read_text())
    services = more["services"]
    secrets = {**base["secrets"], **more["secrets"]}
    assert {name for service in services.values() for name in service["secrets"]} <= set(secrets)
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", []))
    assert services["steadycache"]["environment"]["STEADYCACHE_TOKEN_FILE"] == "/run/secrets/tokens"
    mounts = {}
    for name in ("prometheus", "grafana"):
        for volume in services[name]["volumes"]:
            source, target = volume.split(":")[:2]
            mounts[target] = source
            assert (DOCKER / source).is_dir() if source.startswith(".") else source in more["volumes"], volume
    # The parts refer to each other correctly.
    (scrape,) = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert scrape["authorization"]["credentials_file"] == f"/run/secrets/{services['prometheus']['secrets'][0]}"
    exposed = re.search(r"^EXPOSE (\d+)", (DOCKER / "Dockerfile").read_text(), re.M).group(1)
    assert scrape["static_configs"] == [{"targets": [f"steadycache:{exposed}"]}]
    provisioning = DOCKER / "grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    dashboard = json.loads((DOCKER / "grafana/dashboards/steadycache.json").read_text())
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards/steadycache.yml").read_text())["providers"]
    assert mounts[provider["options"]["path"]] == "./grafana/dashboards"


# ---- A real Prometheus ----

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_configuration(folder, address):
    """The shipped configuration in `folder`, faster and with this server's address, and a second job without
    a token."""
    path = folder / "prometheus.yml"
    configuration = yaml.safe_load(path.read_text())
    configuration["global"] = {"scrape_interval": "200ms", "evaluation_interval": "200ms"}
    (scrape,) = configuration["scrape_configs"]
    scrape["scrape_timeout"] = "200ms"
    scrape["static_configs"] = [{"targets": [address]}]
    stranger = {name: value for name, value in scrape.items() if name != "authorization"}
    configuration["scrape_configs"].append({**stranger, "job_name": "stranger"})
    path.write_text(yaml.safe_dump(configuration))


def check_scrape(program, folder):
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    (folder / "tokens").write_text(f"name=prometheus sha256={digest} rights=read namespaces=*\n"
                                   f"name=app sha256={hashlib.sha256(b'app').hexdigest()} rights=write namespaces=ns\n")
    port = free_port()
    with server(program, folder / "scraped", "--metrics-public=no", f"--token-file={folder}/tokens") as address:
        ask(address, "/cache/ns/k", token="app", data=b"v", method="PUT")
        write_configuration(folder, address)
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                   f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        with process(command, folder / "prometheus.log", env={**os.environ, "GOMAXPROCS": "1"}) as child:
            def query(path, **parameters):
                assert child.poll() is None, "prometheus ended"
                try:
                    return json.loads(ask(f"127.0.0.1:{port}", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))["data"]
                except (urllib.error.URLError, ConnectionError):
                    return None

            def samples(expression):
                return (query("query", query=expression) or {}).get("result")

            (entries,) = await_value(lambda: samples('steadycache_entries{job="steadycache", namespace="ns"}'), "the metric")
            assert entries["value"][1] == "1" and entries["metric"]["instance"] == address, entries

            def refused():
                targets = (query("targets") or {}).get("activeTargets", [])
                return [target for target in targets if target["labels"]["job"] == "stranger" and target["lastError"]]
            (stranger,) = await_value(refused, "the job without a token is refused")
            assert "401" in stranger["lastError"], stranger["lastError"]

            def evaluated():
                rules = [rule for group in query("rules")["groups"] for rule in group["rules"]]
                return rules if all(rule["health"] != "unknown" for rule in rules) else None
            rules = await_value(evaluated, "the rules are evaluated")
            assert rules and all(rule["health"] == "ok" for rule in rules), rules
            assert not samples('ALERTS{alertstate="firing"}'), "an alert fires at rest"


def main():
    missing = [name for name in ("promtool", "prometheus") if not shutil.which(name)]
    if missing:
        print(f"skipped: not installed: {' '.join(missing)} (./dev test installs prometheus)")
        sys.exit(77)
    program = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_compose()
        check_configuration(folder)
        check_rules(folder)
        exported = collect_metrics(program, folder)
        check_names(exported, folder)
        check_documents(exported)
        check_scrape(program, folder)


if __name__ == "__main__":
    main()
