"""Whom one talks to over HTTP: whose an address is, when to come back, and the secrets of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
UNICAST_6 = ipaddress.ip_network("2000::/3")  # leaves out mapped, translated and site-local addresses
TUNNEL_6 = ipaddress.ip_network("2002::/16")  # 6to4: an IPv4 address in disguise
ANYCAST_4 = ipaddress.ip_network("192.88.99.0/24")
METADATA_4 = ipaddress.ip_address("168.63.129.16")  # Azure's; other clouds' are link-local or private

SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
"""Fractions are no standard, and are sent all the same."""

KEY_BYTES = range(24, 65)
KEY_FORM = "whsec_ and the base64 of 24 to 64 random bytes"


def is_loopback(host: str) -> bool:
    """Whether only this machine can be reached there; `host` is a name or an address, in brackets or not."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_public(address: IP) -> bool:
    """Whether an address is public unicast: nobody's own network, no tunnel into one, no cloud's metadata."""
    if isinstance(address, ipaddress.IPv6Address):
        return address in UNICAST_6 and address not in TUNNEL_6 and address.is_global
    return address.is_global and not address.is_multicast and address not in ANYCAST_4 and address != METADATA_4


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110: seconds, or an HTTP date); None where it says nothing usable."""
    text = (header or "").strip()
    if SECONDS.fullmatch(text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def webhook_key(secret: str) -> bytes | None:
    """Return the key that a secret of Standard Webhooks stands for; None: it is not of KEY_FORM."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if secret.startswith("whsec_") and len(key) in KEY_BYTES else None
