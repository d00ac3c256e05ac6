"""What the alerts of TLS mean for someone whose client does not connect (RFC 8446, section 6.2; RFC 5246, 7.2.2)."""

from typing import Final, NamedTuple

from eiosniff.model.unread import Encrypted, FailedHow

SNI: Final = "the client does not say which server it wants (no SNI)"
TOO_OLD: Final = "the client's TLS is too old"
DISTRUST: Final = "the client does not trust the server's certificate"
LEAVES: Final = "the client leaves right after the handshake"


class Meaning(NamedTuple):
    """What happened, why that is (whole sentences), and what to do."""

    verdict: str
    because: str
    advice: str


_TRUST = Meaning(
    DISTRUST,
    "It is signed by nobody whom the client knows, its chain is not complete, or it is for another name.",
    "Give the server a certificate of a public authority, with its whole chain (nginx: ssl_certificate fullchain.pem). "
    "For one of your own, give its authority to the client - Node: io(url, {ca: fs.readFileSync('ca.pem')}); Python: a "
    "requests.Session with verify='ca.pem' as http_session; arduinoWebSockets: beginSSLWithCA(host, port, path, CA); "
    "Android: network_security_config, since apps do not trust authorities that a user has installed.",
)
_EXPIRED = Meaning(
    "the server's certificate is not valid now",
    "It is out of date, or the client's clock is wrong: a board without a clock starts in 1970.",
    "Renew the certificate on the server (and reload it), and set the clock of the client before it connects (ESP32: "
    "configTime() and wait for NTP).",
)
_VERSION = Meaning(
    TOO_OLD,
    "The server wants a newer version than the client offers.",
    "Update the client's TLS: Android 5 or later, OpenSSL 1.0.1 or later, a core for ESP32 or ESP8266 of today. Only "
    "if that cannot be, let the server take the old version (nginx: ssl_protocols, Node: minVersion), which is "
    "insecure.",
)
_NO_NAME = Meaning(
    SNI,
    "Servers with several certificates choose by that name, and this one refuses whoever names none (or one that it "
    "does not have).",
    "Connect to the name and not to the address (https://chat.example, not https://203.0.113.7), and set the name "
    "where the client opens the connection itself (Node: servername, ESP-IDF: common_name, OpenSSL: "
    "SSL_set_tlsext_host_name).",
)
_CLIENT_CERTIFICATE = Meaning(
    "the server wants a certificate of the client",
    "The client has none, or one that the server does not trust.",
    "Give the client its certificate and key (Node: cert and key in the options of io(); Python: cert of "
    "requests.Session), or switch the demand off on the server (nginx: ssl_verify_client).",
)
_NOTHING_IN_COMMON = Meaning(
    "client and server have no way to encrypt in common",
    "None of the ciphers, groups or signatures that the client offers suits the server and its certificate.",
    "Compare what both can: openssl s_client -connect host:port -tls1_2, and the ssl_ciphers of the server. Boards "
    "often speak ECDSA or RSA only: give the server a certificate of that kind as well.",
)
_MEMORY = Meaning(
    "the client cannot take what the server sends",
    "A record or a message is too long or too much for it: boards have little memory, and a record may have 16 KB.",
    "Free memory before the connection is opened (ESP8266: setBufferSizes with what probeMaxFragmentLength says), send "
    "a short chain of certificates, and use an ECDSA certificate, which is smaller.",
)
_OTHER = Meaning(
    "the TLS handshake fails",
    "One side ended it with an alert.",
    "Try openssl s_client -connect host:port -servername host from the client's network, and look at the server's log.",
)
_LEAVES = Meaning(
    LEAVES,
    "It sends nothing over the connection and closes it at once, as Node does with a certificate that it does not "
    "trust.",
    _TRUST.advice,
)

_OF_CLIENT: Final = {
    **dict.fromkeys(
        ("unknown_ca", "bad_certificate", "certificate_unknown", "certificate_revoked", "unsupported_certificate"),
        _TRUST,
    ),
    "certificate_expired": _EXPIRED,
    **dict.fromkeys(("record_overflow", "decode_error", "internal_error"), _MEMORY),
    "handshake_failure": _NOTHING_IN_COMMON,
    "insufficient_security": _NOTHING_IN_COMMON,
}
_OF_SERVER: Final = {
    "protocol_version": _VERSION,
    "unrecognized_name": _NO_NAME,
    "handshake_failure": _NOTHING_IN_COMMON,
    "insufficient_security": _NOTHING_IN_COMMON,
    **dict.fromkeys(
        ("certificate_required", "unknown_ca", "bad_certificate", "certificate_unknown", "certificate_expired"),
        _CLIENT_CERTIFICATE,
    ),
}
_OLD: Final = ("SSL 3.0", "TLS 1.0", "TLS 1.1")


def meaning(entry: Encrypted, how: FailedHow, who: str, alert: str) -> Meaning:
    """What a failure of these connections means."""
    if how is FailedHow.GAVE_UP:
        return _LEAVES
    if how is FailedHow.ALERT_INSIDE:
        return _TRUST
    if who == "client":
        return _OF_CLIENT.get(alert, _OTHER)
    known = _OF_SERVER.get(alert, _OTHER)
    if alert in ("handshake_failure", "internal_error"):  # what servers say who have no better word for it
        if entry.asks_for_certificate:
            return _CLIENT_CERTIFICATE
        if entry.offered and all(version in _OLD for version in entry.offered):
            return _VERSION
        if entry.name is None:
            return _NO_NAME
    return known
