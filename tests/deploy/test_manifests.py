#!/usr/bin/python3
"""The compose file, the Kubernetes manifest and the systemd units, compared with the image and the server,
and checked for the most common mistakes.

usage: test_manifests.py STEADYCACHE   (the server's program) Exit 77: skipped, because Python's YAML parser
or systemd-analyze is missing."""
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import yaml
except ImportError:
    print("skipped: not installed: python3-yaml (./dev test installs it)")
    sys.exit(77)

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text().replace("\\\n", " ")


def known_variables(program):
    """The names that the server reads, and NAME_FILE for those that have no flag."""
    names = set()
    for line in subprocess.run([program, "--options"], text=True, capture_output=True, check=True).stdout.splitlines()[2:]:
        flag, variables = line.strip("|").split(" | ")[:2]
        found = re.findall(r"`([A-Z0-9_]+)`", variables)
        names.update(found)
        if flag.strip() == "none" and found:
            names.add(found[0] + "_FILE")
    assert {"STEADYCACHE_API_KEY_FILE", "STEADYCACHE_LISTEN"} <= names, names
    return names


def check_names(names, text, what):
    for name in re.findall(r"\b(?:STEADYCACHE|STEADYTEXT)_[A-Z0-9_]*[A-Z0-9]\b", re.sub(r"^\s*#.*$", "", text, flags=re.M)):
        assert name in names, f"{what} sets {name}, which the server does not read"


def dockerfile_words(instruction):
    return json.loads(re.search(rf"^{instruction}\s+(\[.*\])", DOCKERFILE, re.M).group(1))


def check_compose(names):
    text = (ROOT / "docker/compose.yaml").read_text()
    compose = yaml.safe_load(text)
    check_names(names, text, "compose.yaml")
    service = compose["services"]["steadycache"]
    folder = ROOT / "docker"
    assert (folder / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # Every volume and secret that is used is declared, and vice versa.
    assert {volume.split(":")[0] for volume in service["volumes"]} == set(compose["volumes"])
    assert [volume.split(":")[1] for volume in service["volumes"]] == dockerfile_words("VOLUME")
    assert set(service["secrets"]) == set(compose["secrets"])
    assert service["environment"]["STEADYCACHE_API_KEY_FILE"] == f"/run/secrets/{service['secrets'][0]}"
    exposed = re.search(r"^EXPOSE (\d+)", DOCKERFILE, re.M).group(1)
    assert all(port.rsplit(":", 1)[1] == exposed for port in service["ports"])
    command = json.loads(re.search(r"^HEALTHCHECK.*CMD\s+(\[.*\])", DOCKERFILE, re.M).group(1))
    assert service["healthcheck"]["test"] == ["CMD", *command], "the health check is not the Dockerfile's"


def check_compose_of_fleet(names):
    """That it runs: tests/fleet/test_compose.py."""
    text = (ROOT / "docker/compose.cluster.yaml").read_text()
    check_names(names, text, "compose.cluster.yaml")
    compose = yaml.safe_load(text)
    servers = {name for name, service in compose["services"].items() if "build" in service}
    assert servers == set(re.findall(r"^\tserver \S+ (\S+):8080$", (ROOT / "docker/haproxy.cfg").read_text(), re.M)), servers
    command = json.loads(re.search(r"^HEALTHCHECK.*CMD\s+(\[.*\])", DOCKERFILE, re.M).group(1))
    for name, service in compose["services"].items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and "mem_limit" in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
        if name in servers:
            assert service["healthcheck"]["test"] == ["CMD", *command], name


def find_all(document, name):
    """Every value of a member of that name, at any depth."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == name:
                yield value
            yield from find_all(value, name)
    elif isinstance(document, list):
        for value in document:
            yield from find_all(value, name)


def check_kubernetes(names):
    text = (ROOT / "packaging/kubernetes/steadycache.yaml").read_text()
    check_names(names, text, "steadycache.yaml")
    objects = {document["kind"]: document for document in yaml.safe_load_all(text)}
    assert set(objects) == {"Service", "StatefulSet"}, set(objects)
    service, stateful = objects["Service"]["spec"], objects["StatefulSet"]["spec"]
    template = stateful["template"]
    pod = template["spec"]
    (container,) = pod["containers"]
    labels = template["metadata"]["labels"]
    # The parts refer to each other correctly.
    for selector in (service["selector"], stateful["selector"]["matchLabels"]):
        assert selector.items() <= labels.items(), selector
    assert stateful["serviceName"] == objects["Service"]["metadata"]["name"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert all(port["targetPort"] in ports for port in service["ports"])
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert all(probe["port"] in ports for probe in probes.values())
    assert [probe["path"] for probe in probes.values()] == ["/healthz", "/healthz", "/readyz"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    claims = {claim["metadata"]["name"] for claim in stateful["volumeClaimTemplates"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounts) == volumes | claims and [mounts[name] for name in claims] == dockerfile_words("VOLUME")
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    (secret,) = [volume["secret"] for volume in pod["volumes"]]
    assert environment["STEADYCACHE_API_KEY_FILE"] == f"{mounts['token']}/{secret['items'][0]['path']}"
    assert secret["defaultMode"] == 0o440, oct(secret["defaultMode"])  # YAML 1.1: an octal number
    # The user that it runs as, and its permissions.
    user = re.search(r"^USER (\d+):(\d+)", DOCKERFILE, re.M)
    security = pod["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (
        int(user.group(1)), int(user.group(2)), int(user.group(2)))
    assert security["runAsNonRoot"] is True and security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                            "capabilities": {"drop": ["ALL"]}}
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    assert ports == {"http": int(re.search(r"^EXPOSE (\d+)", DOCKERFILE, re.M).group(1))}
    version = re.search(r"project\(steadycache VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    assert container["image"] == f"steadycache:{version}", container["image"]
    # The server's own deadline is 8 s (server/http/daemon.c).
    deadline = int(re.search(r"STOP_DEADLINE_US \((\d+) \*", (ROOT / "server/http/daemon.c").read_text()).group(1))
    assert pod["terminationGracePeriodSeconds"] > deadline
    assert all("memory" in value for value in find_all(container["resources"], "limits"))


def check_units(names, program):
    if not shutil.which("systemd-analyze"):
        print("skipped: not installed: systemd-analyze (./dev test installs it)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        for source in (ROOT / "packaging/systemd").iterdir():
            text = source.read_text()
            check_names(names, text, source.name)
            # The program need not be installed.
            (Path(folder) / source.name).write_text(text.replace("/usr/bin/steadycache", program))
        units = [str(path) for path in sorted(Path(folder).iterdir())]
        verified = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], text=True, capture_output=True)
        assert verified.returncode == 0 and verified.stderr.strip() == "", verified.stderr
        # From 0 (no exposure) to 100.
        security = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=15", units[0]], text=True,
                                  capture_output=True)
        assert security.returncode == 0, security.stdout[-3000:] + security.stderr
        print(security.stdout.strip().splitlines()[-1])
    check_names(names, (ROOT / "packaging/debian/default/steadycache").read_text().replace("#STEADY", "STEADY"), "default")


def main():
    program = str(Path(sys.argv[1]).resolve())
    names = known_variables(program)
    check_names(names | {"STEADYCACHE_URL"}, DOCKERFILE, "Dockerfile")
    check_compose(names)
    check_compose_of_fleet(names)
    check_kubernetes(names)
    check_units(names, program)


if __name__ == "__main__":
    main()
