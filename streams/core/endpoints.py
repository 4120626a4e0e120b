"""Whom one talks to over HTTP: whether an address is this machine's own, and the secrets of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import ipaddress

KEY_BYTES = range(24, 65)
KEY_FORM = "whsec_ and the base64 of 24 to 64 random bytes"


def is_loopback(host: str) -> bool:
    """Whether only this machine can be reached there; `host` is a name or an address, in brackets or not."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def webhook_key(secret: str) -> bytes | None:
    """Return the key that a secret of Standard Webhooks stands for; None: it is not of KEY_FORM."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if secret.startswith("whsec_") and len(key) in KEY_BYTES else None
