"""A certificate for the vendor's hosts that nobody vouches for, made for one run and forgotten with it.

Only the command's processes and the run's own browser trust it, because they are told to; no trust store changes.
"""

import base64
import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from nicobar.run.vendor_hosts import REDIRECTED

_DAYS = 30
"""Days that it is valid, so that a command may run for long; a day in the past bears clocks that differ."""


class Certificate(NamedTuple):
    """A certificate and its key as PEM files, and the hash by which Chromium is told to accept it."""

    certificate: Path
    key: Path
    spki: str
    """SHA-256 of the public key (SubjectPublicKeyInfo) in base64."""


def make_certificate(folder: Path) -> Certificate:
    """Make a certificate for the redirected hosts in a folder that only its owner can enter."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nicobar run")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in REDIRECTED]), critical=False)
        .sign(key, SHA256())
    )
    made = folder / "certificate.pem", folder / "key.pem"
    made[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    with os.fdopen(os.open(made[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Certificate(*made, base64.b64encode(hashlib.sha256(public).digest()).decode())
