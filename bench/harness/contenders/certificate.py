"""A certificate for a contender that uses TLS."""

import subprocess

from .base import Unavailable


def make_certificate(folder):
    """Paths of a certificate (ECDSA, P-256) and its key in `folder`."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                           "-keyout", key, "-out", cert], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"openssl ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return cert, key
