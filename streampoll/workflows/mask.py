"""Secrets in configurations, made unreadable before anything of them is stored. Pure.

What follows a word that announces a secret is replaced, whatever form it is in: encrypted forms of some vendors can be
reversed, and hashes guessed. It errs towards hiding. That a secret has changed is not to be seen.
"""

import re
from typing import Final

MASKED: Final = "<masked>"

_PEM: Final = re.compile(
    r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----).*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_OWNERS: Final = (
    r"pre-?shared|shared|private|auth(?:entication)?|encryption|psk|api|access|radius|tacacs|wpa|ike|md5|session|master"
)
_WORDS: Final = (
    r"pass(?:word|wd|phrase|code)?s?", r"secret", r"community(?:-name)?",
    rf"(?:{_OWNERS})[-_ ]?(?:key|secret|password|token)s?",
    r"key-string", r"key-chain-secret", r"psk(?:secret)?", r"ascii-text", r"hexadecimal", r"token", r"credential",
    r"(?:encrypted|plain-text|authentication|privacy|simple|hashed|cipher)[-_](?:password|value|key)",
    r"auth-?pass(?:word)?", r"priv-?pass(?:word)?", r"passwd", r"snmp-community",
)  # fmt: skip
_KINDS: Final = (
    r"(?:(?:\d{1,2}|ENC|cipher|simple|irreversible-cipher|encrypted|clear|hash|sha\d*|md5|ascii|hex|0x|ro|rw)\s+)*"
)
_AFTER: Final = re.compile(
    rf"""(?P<head>(?<![\w-])["']?(?:[\w-]+[-_])?(?:{"|".join(_WORDS)})["']?\s*[:=]?\s+|"""
    rf"""(?<![\w-])["']?(?:[\w-]+[-_])?(?:{"|".join(_WORDS)})["']?\s*[:=]\s*)"""
    rf"""(?P<kind>{_KINDS})(?P<secret>"[^"\n]*"|'[^'\n]*'|[^\s;,{{}}\]]+)""",
    re.IGNORECASE,
)
_KEY: Final = re.compile(
    r"(?P<head>^\s*(?:(?:tacacs|radius|server|ntp|crypto|isakmp|neighbor|standby|vrrp|ip ospf|isis|aaa)"
    r"\b[^\n]*?\s)?(?:key|authentication|message-digest-key\s+\d+\s+md5)"
    r"\s+(?:\d\s+)?)(?P<secret>(?!(?:generate|chain|config|zeroize|import|mypubkey|pubkey|pre-share|rsa|text|mode|include|"
    r"list|login|ppp|dot1x|order|priority|host|port|periodic|event|method|type|sha\d*|md5|des|aes)\b)\S{4,})",
    re.IGNORECASE | re.MULTILINE,
)
_V3: Final = re.compile(
    r"(?P<head>\b(?:auth|priv)\s+(?:md5|sha\S*|des|3des|aes\S*)\s+(?:(?:128|192|256)\s+)?)\S+", re.IGNORECASE
)
_IN_URL: Final = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]*://[^\s/:@]+:)(?P<secret>[^\s/@]+)(?=@)", re.IGNORECASE)
_CRYPT: Final = re.compile(r"\$(?:1|2[aby]?|5|6|8|9|y|14|sha1|apr1)\$[^\s\"';,]+")


def masked(text: str) -> str:
    """Return a configuration with its secrets replaced."""
    text = _PEM.sub(rf"\1\n{MASKED}\n\2", text)
    text = _CRYPT.sub(MASKED, text)
    text = _IN_URL.sub(rf"\g<head>{MASKED}", text)
    text = _V3.sub(rf"\g<head>{MASKED}", text)
    text = _AFTER.sub(_replaced, text)
    return _KEY.sub(rf"\g<head>{MASKED}", text)


def _replaced(found: "re.Match[str]") -> str:
    secret = found["secret"]
    quote = secret[0] if secret[:1] in "\"'" and len(secret) > 1 else ""
    return f"{found['head']}{found['kind']}{quote}{MASKED}{quote}"
