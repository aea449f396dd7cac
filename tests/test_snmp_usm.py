"""SNMPv3's keys, signatures and ciphers: the RFCs' own vectors, and pysnmp and `cryptography` as oracles."""

import hashlib
import hmac
import threading
import warnings

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from streampoll.config.secret import Secret
from streampoll.errors import SnmpError
from streampoll.snmp.credential import AuthProtocol, PrivProtocol, UsmUser
from streampoll.snmp.master_keys import MasterKeys
from streampoll.snmp.privacy import AesCfb, DesCbc
from streampoll.snmp.usm import Signer, is_slow, local_keys, localize, master_key

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pysnmp imports old names of pysmi
    from pyasn1.type.univ import OctetString
    from pysnmp.entity import config as pysnmp_config
    from pysnmp.proto.secmod.eso.priv import aes192, aes256
    from pysnmp.proto.secmod.rfc3414 import localkey

MAPLE = b"maplesyrup"
ENGINE = bytes.fromhex("000000000000000000000002")
HASHES = {
    AuthProtocol.MD5: hashlib.md5, AuthProtocol.SHA1: hashlib.sha1, AuthProtocol.SHA224: hashlib.sha224,
    AuthProtocol.SHA256: hashlib.sha256, AuthProtocol.SHA384: hashlib.sha384, AuthProtocol.SHA512: hashlib.sha512,
}  # fmt: skip
MAC_BYTES = {"md5": 12, "sha1": 12, "sha224": 16, "sha256": 24, "sha384": 32, "sha512": 48}  # RFC 3414, RFC 7860 4.2.2
EXTENDED = [PrivProtocol.AES192, PrivProtocol.AES256, PrivProtocol.AES192C, PrivProtocol.AES256C]


@pytest.mark.parametrize(
    ("protocol", "master", "local"),
    [
        pytest.param(
            AuthProtocol.MD5, "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b", id="A.3.1"
        ),
        pytest.param(
            AuthProtocol.SHA1,
            "9fb5cc0381497b3793528939ff788d5d79145211",
            "6695febc9288e36282235fc7151f128497b38f3f",
            id="A.3.2",
        ),
    ],
)
def test_keys_are_those_of_rfc_3414(protocol: AuthProtocol, master: str, local: str) -> None:
    key = master_key(protocol, MAPLE)
    assert (key.hex(), localize(protocol, key, ENGINE).hex()) == (master, local)


@pytest.mark.parametrize(
    ("protocol", "before", "delta", "after"),
    [
        pytest.param(
            AuthProtocol.MD5,
            "526f5eed9fcce26f8964c2930787d82b",
            "00" * 16 + "8805615141676cc9196174e742a32551",
            "87021d7bd9d101ba05ea6e3bf9d9bd4a",
            id="A.5.1",
        ),
        pytest.param(
            AuthProtocol.SHA1,
            "6695febc9288e36282235fc7151f128497b38f3f",
            "00" * 20 + "9c1017f4fd483d2de8d5fadbf84392cb06457051",
            "78e2dcce79d59403b58c1bbaa5bff46391f1cd25",
            id="A.5.2",
        ),
    ],
)  # fmt: skip
def test_the_keys_of_a_key_change_are_those_of_rfc_3414(
    protocol: AuthProtocol, before: str, delta: str, after: str
) -> None:
    old = localize(protocol, master_key(protocol, MAPLE), ENGINE)
    new = localize(protocol, master_key(protocol, b"newsyrup"), ENGINE)
    change = bytes.fromhex(delta)  # the random part, zeros in the RFC, and the new key hidden by the old one
    hidden = hashlib.new(protocol, old + change[: len(old)]).digest()
    assert (old.hex(), new.hex()) == (before, after)
    assert bytes(a ^ b for a, b in zip(hidden, change[len(old) :], strict=True)) == new


@pytest.mark.parametrize("protocol", HASHES)
def test_keys_are_pysnmps(protocol: AuthProtocol) -> None:
    master = localkey.hash_passphrase(MAPLE, HASHES[protocol])
    local = localkey.localize_key(master, OctetString(ENGINE), HASHES[protocol])
    assert master_key(protocol, MAPLE) == bytes(master)
    assert localize(protocol, bytes(master), ENGINE) == bytes(local)


@given(st.binary(min_size=1, max_size=200))
def test_a_passphrase_of_any_length_is_repeated_to_a_megabyte(passphrase: bytes) -> None:
    expected = hashlib.sha1((passphrase * (2**20 // len(passphrase) + 1))[: 2**20]).digest()
    assert master_key(AuthProtocol.SHA1, passphrase) == expected


_PYSNMP_AUTH = {
    AuthProtocol.MD5: pysnmp_config.USM_AUTH_HMAC96_MD5,
    AuthProtocol.SHA1: pysnmp_config.USM_AUTH_HMAC96_SHA,
    AuthProtocol.SHA224: pysnmp_config.USM_AUTH_HMAC128_SHA224,
    AuthProtocol.SHA256: pysnmp_config.USM_AUTH_HMAC192_SHA256,
    AuthProtocol.SHA384: pysnmp_config.USM_AUTH_HMAC256_SHA384,
    AuthProtocol.SHA512: pysnmp_config.USM_AUTH_HMAC384_SHA512,
}
_PYSNMP_PRIV = {
    PrivProtocol.AES192: aes192.AesBlumenthal192, PrivProtocol.AES256: aes256.AesBlumenthal256,
    PrivProtocol.AES192C: aes192.Aes192, PrivProtocol.AES256C: aes256.Aes256,
}  # fmt: skip


@pytest.mark.parametrize("priv", EXTENDED)
@pytest.mark.parametrize("auth", HASHES)
def test_extended_keys_are_pysnmps(auth: AuthProtocol, priv: PrivProtocol) -> None:
    user = UsmUser("u", auth, Secret("an-auth-passphrase"), priv, Secret("maplesyrup"))
    oracle = _PYSNMP_PRIV[priv]()
    hashed = oracle.hash_passphrase(_PYSNMP_AUTH[auth], MAPLE)
    expected = oracle.localize_key(_PYSNMP_AUTH[auth], hashed, OctetString(ENGINE))
    master = master_key(auth, MAPLE)
    assert local_keys(user, master_key(auth, b"an-auth-passphrase"), master, ENGINE).priv == bytes(expected)


def test_the_two_extensions_differ_where_the_hash_is_short_and_only_reeders_is_slow() -> None:
    keys = {}
    for priv in (PrivProtocol.AES256, PrivProtocol.AES256C):
        for auth in (AuthProtocol.SHA1, AuthProtocol.SHA256):
            user = UsmUser("u", auth, Secret("maplesyrup"), priv, Secret("maplesyrup"))
            keys[priv, auth] = local_keys(user, b"a" * 20, b"b" * 20, ENGINE).priv
            assert is_slow(user) == (priv is PrivProtocol.AES256C and auth is AuthProtocol.SHA1)
    assert keys[PrivProtocol.AES256, AuthProtocol.SHA1] != keys[PrivProtocol.AES256C, AuthProtocol.SHA1]
    assert keys[PrivProtocol.AES256, AuthProtocol.SHA256] == keys[PrivProtocol.AES256C, AuthProtocol.SHA256]


@pytest.mark.parametrize("protocol", HASHES)
@given(message=st.binary(max_size=400))
def test_signatures_are_hmacs_cut_to_the_length_of_the_rfc(protocol: AuthProtocol, message: bytes) -> None:
    key = localize(protocol, b"k" * 20, ENGINE)
    signer = Signer(protocol, key)
    expected = hmac.new(key, message, protocol.value).digest()[: MAC_BYTES[protocol]]
    assert [signer.sign(message), signer.sign(message)] == [expected, expected]


MESSAGES = st.lists(st.tuples(st.binary(min_size=1, max_size=100), st.integers(0, 2**64 - 1)), min_size=1, max_size=4)
TIMES = st.integers(0, 2**31 - 1)


@pytest.mark.parametrize("size", [16, 24, 32])
@given(messages=MESSAGES, boots=TIMES, time_s=TIMES)
def test_aes_is_cfb_128_message_after_message(
    size: int, messages: list[tuple[bytes, int]], boots: int, time_s: int
) -> None:
    key = bytes(range(size))
    ours = AesCfb(key)
    for plain, salt in messages:
        iv = boots.to_bytes(4) + time_s.to_bytes(4) + salt.to_bytes(8)
        expected = Cipher(AES(key), CFB(iv)).encryptor().update(plain)
        assert ours.encrypt(plain, boots, time_s, salt) == (expected, salt.to_bytes(8))
        assert ours.decrypt(expected, boots, time_s, salt.to_bytes(8)) == plain


@given(messages=MESSAGES, boots=TIMES)
def test_des_is_cbc_with_the_keys_second_half_in_its_iv(messages: list[tuple[bytes, int]], boots: int) -> None:
    key = bytes(range(16))
    ours = DesCbc(key)
    for plain, salt in messages:
        data, parameters = ours.encrypt(plain, boots, 7, salt)
        iv = bytes(a ^ b for a, b in zip(key[8:], parameters, strict=True))
        padded = plain + bytes(-len(plain) % 8)
        assert parameters == boots.to_bytes(4) + (salt & 0xFFFFFFFF).to_bytes(4)
        assert data == Cipher(TripleDES(key[:8] * 3), CBC(iv)).encryptor().update(padded)
        assert ours.decrypt(data, boots, 7, parameters) == padded


@pytest.mark.parametrize("cipher", [AesCfb(bytes(16)), DesCbc(bytes(16))], ids=["aes", "des"])
@pytest.mark.parametrize(("data", "parameters"), [(b"12345678", b""), (b"12345678", b"1234567"), (b"", b"123456789")])
def test_privacy_parameters_of_a_wrong_length_are_refused(
    cipher: AesCfb | DesCbc, data: bytes, parameters: bytes
) -> None:
    with pytest.raises(SnmpError):
        cipher.decrypt(data, 1, 1, parameters)


def test_des_refuses_what_is_no_whole_block() -> None:
    with pytest.raises(SnmpError):
        DesCbc(bytes(16)).decrypt(b"1234567", 1, 1, b"12345678")


async def test_a_master_key_is_made_once_for_a_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[AuthProtocol, bytes]] = []

    def counted(protocol: AuthProtocol, passphrase: bytes) -> bytes:
        made.append((protocol, passphrase))
        return master_key(protocol, passphrase)

    monkeypatch.setattr("streampoll.snmp.master_keys.master_key", counted)
    keys = MasterKeys()
    user = UsmUser("u", AuthProtocol.SHA256, Secret("one-passphrase"), PrivProtocol.AES128, Secret("two-passphrase"))
    other = UsmUser("v", AuthProtocol.SHA256, Secret("one-passphrase"))
    first = await keys.localized(user, b"one")
    assert await keys.localized(other, b"two") != first
    assert (await keys.localized(other, b"one")).auth == first.auth
    assert sorted(made) == [(AuthProtocol.SHA256, b"one-passphrase"), (AuthProtocol.SHA256, b"two-passphrase")]


@pytest.mark.parametrize("priv", [PrivProtocol.AES128, PrivProtocol.AES256C], ids=["masters", "Reeder's extension"])
async def test_a_megabyte_is_never_hashed_in_the_loops_thread(
    priv: PrivProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noted(protocol: AuthProtocol, passphrase: bytes) -> bytes:
        threads.append(threading.current_thread())
        return master_key(protocol, passphrase)

    monkeypatch.setattr("streampoll.snmp.master_keys.master_key", noted)
    monkeypatch.setattr("streampoll.snmp.usm.master_key", noted)
    await MasterKeys().localized(
        UsmUser("u", AuthProtocol.SHA1, Secret("maplesyrup"), priv, Secret("newsyrup")), ENGINE
    )
    assert len(threads) == (3 if priv is PrivProtocol.AES256C else 2)
    assert threading.main_thread() not in threads


async def test_no_key_shows() -> None:
    keys = MasterKeys()
    user = UsmUser("u", AuthProtocol.MD5, Secret("maplesyrup"), PrivProtocol.DES, Secret("maplesyrup"))
    local = await keys.localized(user, ENGINE)
    shown = f"{local!r} {keys!r} {[*keys._made.values()]!r} {user!r}"
    for secret in (MAPLE, master_key(AuthProtocol.MD5, MAPLE), local.auth, local.priv):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
