"""What every connection that Graft opens has in common: certificates, loopback, addresses in one line."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class CertificateError(Exception):
    """The certificates that the environment names cannot be used; one line."""


def tls_context(environment: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Verifies always.  A company's own authority comes from SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE.

    The first of them that is set is trusted beside the system's.  Raises `CertificateError`.
    """
    context = ssl.create_default_context()
    for variable in CERTIFICATE_VARIABLES:
        named = environment.get(variable)
        if not named:
            continue
        path = Path(named)
        try:
            if path.is_dir():
                context.load_verify_locations(capath=named)
            else:
                context.load_verify_locations(cafile=named)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or str(error)
            raise CertificateError(f"{variable}={named}: no certificates could be read from it: {why}") from None
        break
    return context


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def certificate_advice(error: ssl.SSLCertVerificationError) -> str:
    """One line about a certificate that was refused, and what to do."""
    return (
        f"its certificate is not trusted ({error.verify_message}); if your company signs certificates itself, "
        "set SSL_CERT_FILE to its authority's PEM file"
    )
