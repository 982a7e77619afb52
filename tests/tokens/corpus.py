"""Hostile and odd tokens, each with the problem and the check that refuse it, made with a real key."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.tokens.conftest import Shop
from tests.tokens.issuer import encoded, signed_text, signing_key

Forge = Callable[[Shop], str]
Case = tuple[str, str, str, Forge]
GOOD_HEADER = '{"alg":"RS256","kid":"first","typ":"JWT"}'
RFC_PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
"""The claims of RFC 7515, appendix A, and of RFC 7519, 3.1."""
RFC_RS256_SIGNATURE = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7"
    "t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi1"
    "2jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGl"
    "UPQGe77Rw"
)


def as_it_is(token: str) -> Forge:
    return lambda _shop: token


def parts_of(shop: Shop) -> list[str]:
    return shop.issuer.token().split(".")


def with_header(text: str | bytes) -> Forge:
    """A token of good claims and a good signature below exactly this header."""
    return lambda shop: signed_text(text, json.dumps(shop.issuer.claims()))


def with_header_members(**members: Any) -> Forge:
    return lambda shop: shop.issuer.token(headers=members)


def with_payload(text: str | bytes) -> Forge:
    """A token of a good header and a good signature above exactly this payload."""
    return lambda _shop: signed_text(GOOD_HEADER, text)


def with_claims(**changes: Any) -> Forge:
    """A token with good claims but for these; None takes one away."""
    return lambda shop: shop.issuer.token(changes)


def with_claim_text(name: str, text: str) -> Forge:
    """A token with one claim in a spelling that no library would write."""

    def forge(shop: Shop) -> str:
        rest = json.dumps(shop.issuer.claims(**{name: None}))
        return signed_text(GOOD_HEADER, f'{rest[:-1]}, "{name}": {text}}}')

    return forge


def at(name: str, seconds: int) -> Forge:
    """A token with a moment that is so many seconds from now."""
    return lambda shop: shop.issuer.token({name: int(shop.issuer.clock()) + seconds})


def with_signature(make: Callable[[bytes], bytes], **header: Any) -> Forge:
    """A token of good claims with a signature of one's own making."""

    def forge(shop: Shop) -> str:
        parts = ({"typ": "JWT", "kid": "first"} | header, shop.issuer.claims())
        text = ".".join(encoded(json.dumps(part)) for part in parts)
        return f"{text}.{encoded(make(text.encode()))}"

    return forge


def hmac_by(key: bytes, digest: str = "sha256") -> Callable[[bytes], bytes]:
    return lambda text: hmac.new(key, text, digest).digest()


def rsa(hash_algorithm: hashes.HashAlgorithm, pad: padding.AsymmetricPadding) -> Callable[[bytes], bytes]:
    return lambda text: signing_key("first").private.sign(text, pad, hash_algorithm)


def elliptic(text: bytes) -> bytes:
    return ECAlgorithm(ECAlgorithm.SHA256).sign(text, ec.generate_private_key(ec.SECP256R1()))


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def public_key(encoding: serialization.Encoding) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return signing_key("first").private.public_key().public_bytes(encoding, form)


def nested(levels: int, shape: str = "[") -> str:
    end = {"[": "]", '{"a":': "}"}[shape]
    return shape * levels + "1" + end * levels


def foreign_jwk() -> Any:
    return json.loads(RSAAlgorithm.to_jwk(signing_key("foreign").private.public_key()))


FORM: list[Case] = [
    ("one character", "token-opaque", "form", as_it_is("x")),
    ("an opaque access token", "token-opaque", "form", as_it_is("8Qz2yF0m4N6b-opaque-_1")),
    ("two parts", "token-opaque", "form", lambda shop: ".".join(parts_of(shop)[:2])),
    ("four parts", "token-opaque", "form", lambda shop: shop.issuer.token() + ".more"),
    ("six parts", "token-opaque", "form", as_it_is("a.b.c.d.e.f")),
    ("an encrypted token (RFC 7516, 3.3)", "token-encrypted", "form", as_it_is("eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d")),
    ("an encrypted token, direct key", "token-encrypted", "form", as_it_is("eyJhbGciOiJkaXIifQ..b.c.d")),
    ("the JSON serialization (RFC 7515, A.6)", "token-opaque", "form", as_it_is('{"payload":"e30","signatures":[]}')),
    ("a token after the word Bearer", "token-malformed", "encoding", lambda shop: f"Bearer {shop.issuer.token()}"),
    ("a token in quotes", "token-malformed", "encoding", lambda shop: f'"{shop.issuer.token()}"'),
    ("a space before it", "token-malformed", "encoding", lambda shop: " " + shop.issuer.token()),
    ("a line end after it", "token-malformed", "encoding", lambda shop: shop.issuer.token() + "\n"),
    ("a line end in it", "token-malformed", "encoding", lambda shop: "\r\n.".join(parts_of(shop))),
    ("a NUL in it", "token-malformed", "encoding", lambda shop: "\0.".join(parts_of(shop))),
    ("padding at its end", "token-malformed", "encoding", lambda shop: shop.issuer.token() + "=="),
    ("padding in its header", "token-malformed", "encoding", lambda shop: "=.".join(parts_of(shop))),
    ("base64 with plus", "token-malformed", "encoding", lambda shop: ".".join([*parts_of(shop)[:2], "+" * 344])),
    ("base64 with slashes", "token-malformed", "encoding", lambda shop: ".".join([*parts_of(shop)[:2], "/" * 344])),
    (
        "a part of 4n+1 characters",
        "token-malformed",
        "encoding",
        lambda shop: ".".join([*parts_of(shop)[:2], "A" * 341]),
    ),
    ("spare bits of the signature", "token-malformed", "encoding", lambda shop: shop.issuer.token()[:-1] + "_"),
    ("spare bits of the header", "token-malformed", "encoding", as_it_is("e31.e30.AA")),
    ("letters beyond ASCII", "token-malformed", "encoding", as_it_is("ä.ö.ü")),
    ("digits of another script", "token-malformed", "encoding", as_it_is("e30.e30.١٢٣٤")),
    ("a Cyrillic a", "token-malformed", "encoding", lambda shop: shop.issuer.token()[:-2] + "\u0430A"),
    ("only dots", "token-malformed", "header", as_it_is("..")),
    ("an empty header", "token-malformed", "header", lambda shop: ".".join(["", *parts_of(shop)[1:]])),
]
HEADER: list[Case] = [
    ("a header that is text", "token-malformed", "header", with_header("RS256")),
    ("a header that is a list", "token-malformed", "header", with_header('["RS256"]')),
    ("a header that is null", "token-malformed", "header", with_header("null")),
    ("a header in UTF-16", "token-malformed", "header", with_header(GOOD_HEADER.encode("utf-16"))),
    ("a header with a byte order mark", "token-malformed", "header", with_header("\ufeff" + GOOD_HEADER)),
    ("a header in broken UTF-8", "token-malformed", "header", with_header(b'{"alg":"RS256","kid":"\xff"}')),
    ("a header with text behind it", "token-malformed", "header", with_header(GOOD_HEADER + "{}")),
    ("a header with a comma too many", "token-malformed", "header", with_header('{"alg":"RS256",}')),
    (
        "two algorithms, none last",
        "token-malformed",
        "header",
        with_header('{"alg":"RS256","kid":"first","alg":"none"}'),
    ),
    (
        "two algorithms, none first",
        "token-malformed",
        "header",
        with_header('{"alg":"none","kid":"first","alg":"RS256"}'),
    ),
    ("two equal algorithms", "token-malformed", "header", with_header('{"alg":"RS256","alg":"RS256","kid":"first"}')),
    ("two spelt differently", "token-malformed", "header", with_header('{"alg":"RS256","\\u0061lg":"none"}')),
    ("a header of 65 levels", "token-malformed", "header", with_header(f'{{"alg":"RS256","x":{nested(64)}}}')),
    ("a header of 4,000 levels", "token-malformed", "header", with_header("[" * 4000)),
    ("a header with NaN", "token-malformed", "header", with_header('{"alg":"RS256","x":NaN}')),
    ("no algorithm", "token-algorithm", "alg", with_header('{"kid":"first"}')),
    ("alg none, unsigned (RFC 7519, 6.1)", "token-algorithm", "alg", as_it_is(f"eyJhbGciOiJub25lIn0.{RFC_PAYLOAD}.")),
    ("alg none over good claims", "token-algorithm", "alg", with_signature(lambda _text: b"", alg="none")),
    ("alg none with a good signature", "token-algorithm", "alg", with_header_members(alg="none")),
    *[
        (f"alg {alg!r}", "token-algorithm", "alg", with_header_members(alg=alg))
        for alg in (
            "None",
            "NONE",
            "nOnE",
            "",
            " RS256",
            "RS256 ",
            "rs256",
            "Rs256",
            "RS384",
            "RS512",
            "RSA-OAEP",
            "dir",
        )
    ],
    *[
        (f"alg as JSON {json.dumps(alg)}", "token-algorithm", "alg", with_header_members(alg=alg))
        for alg in (None, True, 256, ["RS256"], {"RS256": 1})
    ],
    (
        "HS256 by the public key as PEM",
        "token-algorithm",
        "alg",
        with_signature(hmac_by(public_key(serialization.Encoding.PEM)), alg="HS256"),
    ),
    (
        "HS256 by the public key as DER",
        "token-algorithm",
        "alg",
        with_signature(hmac_by(public_key(serialization.Encoding.DER)), alg="HS256"),
    ),
    ("HS256 by an empty key", "token-algorithm", "alg", with_signature(hmac_by(b""), alg="HS256")),
    ("HS512", "token-algorithm", "alg", with_signature(hmac_by(b"k" * 64, "sha512"), alg="HS512")),
    (
        "PS256, unasked",
        "token-algorithm",
        "alg",
        with_signature(rsa(hashes.SHA256(), padding.PSS(padding.MGF1(hashes.SHA256()), 32)), alg="PS256"),
    ),
    ("ES256, unasked", "token-algorithm", "alg", with_signature(elliptic, alg="ES256")),
    ("ES256 of zeros (CVE-2022-21449)", "token-algorithm", "alg", with_signature(lambda _text: bytes(64), alg="ES256")),
    ("EdDSA", "token-algorithm", "alg", with_signature(lambda _text: bytes(64), alg="EdDSA")),
    (
        "RFC 7515, A.1: HS256",
        "token-algorithm",
        "alg",
        as_it_is(f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ),
    (
        "RFC 7515, A.3: ES256",
        "token-algorithm",
        "alg",
        as_it_is(
            f"eyJhbGciOiJFUzI1NiJ9.{RFC_PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        ),
    ),
    (
        "RFC 7515, E: crit above alg none",
        "token-algorithm",
        "alg",
        as_it_is(
            "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA."
        ),
    ),
    ("a signed token that says enc", "token-encrypted", "enc", with_header_members(enc="A256GCM")),
    (
        "crit of an unknown extension",
        "token-extension",
        "crit",
        with_header_members(crit=["http://example.com/UNDEFINED"]),
    ),
    ("crit of a known member", "token-extension", "crit", with_header_members(crit=["exp"], exp=1)),
    ("an empty crit", "token-extension", "crit", with_header_members(crit=[])),
    ("crit that is null", "token-extension", "crit", with_header_members(crit=None)),
    ("crit and b64 (RFC 7797, 4.2)", "token-extension", "crit", with_header_members(crit=["b64"], b64=False)),
    ("b64 without crit", "token-extension", "b64", with_header_members(b64=False)),
    ("b64 that says the usual", "token-extension", "b64", with_header_members(b64=True)),
    (
        "its own key",
        "token-embedded-key",
        "jwk",
        lambda shop: shop.issuer.token(key="foreign", headers={"jwk": foreign_jwk()}),
    ),
    (
        "its own key, under our id",
        "token-embedded-key",
        "jwk",
        lambda shop: shop.issuer.token(key="foreign", headers={"kid": "first", "jwk": foreign_jwk()}),
    ),
    (
        "the tenant's key, brought along",
        "token-embedded-key",
        "jwk",
        lambda shop: shop.issuer.token(headers={"jwk": shop.issuer.keys[0]}),
    ),
    (
        "a place of keys",
        "token-embedded-key",
        "jku",
        lambda shop: shop.issuer.token(key="foreign", headers={"jku": "https://evil.example/jwks.json"}),
    ),
    (
        "a place of keys in our network",
        "token-embedded-key",
        "jku",
        with_header_members(jku="http://169.254.169.254/latest/meta-data/"),
    ),
    (
        "the tenant's own place of keys",
        "token-embedded-key",
        "jku",
        lambda shop: shop.issuer.token(headers={"jku": shop.issuer.tenant.jwks_url}),
    ),
    ("a certificate", "token-embedded-key", "x5c", with_header_members(x5c=["MIIB"])),
    ("a place of certificates", "token-embedded-key", "x5u", with_header_members(x5u="https://evil.example/chain.pem")),
    ("an embedded key that is null", "token-embedded-key", "jwk", with_header_members(jwk=None)),
    ("the type of an access token", "token-kind", "typ", with_header_members(typ="at+jwt")),
    ("the long type of an access token", "token-kind", "typ", with_header_members(typ="application/AT+JWT")),
    ("a logout token", "token-kind", "typ", with_header_members(typ="logout+jwt")),
    ("a proof of possession (DPoP)", "token-kind", "typ", with_header_members(typ="dpop+jwt")),
    ("a security event token", "token-kind", "typ", with_header_members(typ="secevent+jwt")),
    ("an empty type", "token-kind", "typ", with_header_members(typ="")),
    ("a type that is null", "token-malformed", "typ", with_header_members(typ=None)),
    ("a type that is a list", "token-malformed", "typ", with_header_members(typ=["JWT"])),
    (
        "a token in a token (RFC 7519, A.2)",
        "token-kind",
        "cty",
        lambda shop: signed_text('{"alg":"RS256","kid":"first","cty":"JWT"}', shop.issuer.token()),
    ),
    ("a content type over claims", "token-kind", "cty", with_header_members(cty="json")),
    ("a key id that is a number", "token-malformed", "kid", with_header_members(kid=1)),
    ("a key id that is a list", "token-malformed", "kid", with_header_members(kid=["first"])),
    ("a key id that is an object", "token-malformed", "kid", with_header_members(kid={"$ne": None})),
    ("a key id that is empty", "token-malformed", "kid", with_header_members(kid="")),
    ("a key id of 256 characters", "token-malformed", "kid", with_header_members(kid="k" * 256)),
    ("a key id with a NUL", "token-malformed", "kid", with_header_members(kid="first\0")),
    ("a key id of half a surrogate pair", "token-malformed", "kid", with_header_members(kid="\ud800")),
]
SIGNATURE: list[Case] = [
    ("a key id that is unknown", "token-key-unknown", "kid", with_header_members(kid="second")),
    ("a key id in other case", "token-key-unknown", "kid", with_header_members(kid="FIRST")),
    ("a key id that is a path", "token-key-unknown", "kid", with_header_members(kid="../../../../dev/null")),
    ("a key id that is SQL", "token-key-unknown", "kid", with_header_members(kid="first' UNION SELECT 'x")),
    (
        "somebody else's signature",
        "token-signature",
        "signature",
        lambda shop: shop.issuer.token(key="foreign", headers={"kid": "first"}),
    ),
    (
        "RFC 7515, A.2: RS256 by the RFC's key",
        "token-signature",
        "signature",
        as_it_is(f"eyJhbGciOiJSUzI1NiJ9.{RFC_PAYLOAD}.{RFC_RS256_SIGNATURE}"),
    ),
    ("no signature", "token-signature", "signature", lambda shop: ".".join([*parts_of(shop)[:2], ""])),
    ("a short signature", "token-signature", "signature", lambda shop: ".".join([*parts_of(shop)[:2], "AAAA"])),
    ("a signature of zeros", "token-signature", "signature", with_signature(lambda _text: bytes(256), alg="RS256")),
    ("a signature of ones", "token-signature", "signature", with_signature(lambda _text: b"\xff" * 256, alg="RS256")),
    (
        "a signature with a zero before it",
        "token-signature",
        "signature",
        with_signature(lambda text: b"\0" + rsa(hashes.SHA256(), padding.PKCS1v15())(text), alg="RS256"),
    ),
    ("a signature of 8 KiB", "token-signature", "signature", with_signature(lambda _text: b"A" * 8192, alg="RS256")),
    (
        "a bare digest for a signature",
        "token-signature",
        "signature",
        with_signature(lambda text: hashlib.sha256(text).digest(), alg="RS256"),
    ),
    (
        "RS512's signature under RS256",
        "token-signature",
        "signature",
        with_signature(rsa(hashes.SHA512(), padding.PKCS1v15()), alg="RS256"),
    ),
    (
        "PS256's signature under RS256",
        "token-signature",
        "signature",
        with_signature(rsa(hashes.SHA256(), padding.PSS(padding.MGF1(hashes.SHA256()), 32)), alg="RS256"),
    ),
    (
        "HMAC by the public key under RS256",
        "token-signature",
        "signature",
        with_signature(hmac_by(public_key(serialization.Encoding.PEM)), alg="RS256"),
    ),
    (
        "another token's claims",
        "token-signature",
        "signature",
        lambda shop: ".".join(
            [parts_of(shop)[0], encoded(json.dumps(shop.issuer.claims(sub="auth0|victim"))), parts_of(shop)[2]]
        ),
    ),
    (
        "another header over a signature",
        "token-signature",
        "signature",
        lambda shop: ".".join([encoded('{"alg":"RS256","kid":"first"}'), *parts_of(shop)[1:]]),
    ),
    (
        "no claims at all, unsigned",
        "token-signature",
        "signature",
        lambda shop: f"{parts_of(shop)[0]}..{parts_of(shop)[2]}",
    ),
]
PAYLOAD: list[Case] = [
    ("claims that are text", "token-malformed", "payload", with_payload("sub=auth0|ann")),
    ("claims that are a list", "token-malformed", "payload", with_payload('[{"sub":"auth0|ann"}]')),
    ("claims that are a JSON text", "token-malformed", "payload", with_payload('"{}"')),
    ("claims that are a number", "token-malformed", "payload", with_payload("1")),
    ("claims that are null", "token-malformed", "payload", with_payload("null")),
    ("no claims", "token-malformed", "payload", with_payload("")),
    ("claims in broken UTF-8", "token-malformed", "payload", with_payload(b'{"sub":"\xc3\x28"}')),
    ("claims in UTF-16", "token-malformed", "payload", with_payload("{}".encode("utf-16"))),
    ("claims in overlong UTF-8", "token-malformed", "payload", with_payload(b'{"sub":"\xc0\xaf"}')),
    ("claims with a byte order mark", "token-malformed", "payload", with_payload("\ufeff{}")),
    ("claims compressed", "token-malformed", "payload", with_payload(b"\x78\x9c\xab\xae\x05\x00\x01\x75\x00\xf9")),
    ("two subjects", "token-malformed", "payload", with_claim_text("sub", '"auth0|ann","sub":"auth0|victim"')),
    (
        "two subjects, one escaped",
        "token-malformed",
        "payload",
        with_claim_text("sub", '"auth0|ann","s\\u0075b":"auth0|victim"'),
    ),
    ("two equal audiences", "token-malformed", "payload", with_claim_text("aud", '"shop-client","aud":"shop-client"')),
    ("a member twice, deep inside", "token-malformed", "payload", with_claim_text("a", '{"b":[{"c":1,"c":2}]}')),
    ("claims of 65 levels", "token-malformed", "payload", with_claim_text("a", nested(64))),
    ("claims of 3,000 objects in one another", "token-malformed", "payload", with_claim_text("a", '{"a":' * 1500)),
    ("brackets without end", "token-malformed", "payload", with_payload("[" * 9000)),
    ("quotes without end", "token-malformed", "payload", with_payload('{"a":["' + '\\"[' * 3000)),
    ("NaN", "token-malformed", "payload", with_claim_text("a", "NaN")),
    ("Infinity", "token-malformed", "payload", with_claim_text("exp", "Infinity")),
    ("a number over all bounds", "token-malformed", "payload", with_claim_text("exp", "1e999")),
    ("a number of 5,000 digits", "token-malformed", "payload", with_claim_text("exp", "9" * 5000)),
    ("a comment", "token-malformed", "payload", with_payload('{"a":1/* */}')),
    ("single quotes", "token-malformed", "payload", with_payload("{'a':1}")),
]
ABSURD: tuple[Any, ...] = (None, True, "", "soon", -1, 0.5, 1e300, [], {}, 10**15, 10**400)
CLAIMS: list[Case] = [
    *[(f"exp {str(value)[:20]!r}", "token-malformed", "exp", with_claims(exp=value)) for value in ABSURD],
    *[(f"iat {str(value)[:20]!r}", "token-malformed", "iat", with_claims(iat=value)) for value in ABSURD],
    *[(f"nbf {str(value)[:20]!r}", "token-malformed", "nbf", with_claims(nbf=value)) for value in ABSURD[1:]],
    ("nbf null", "token-malformed", "nbf", with_claim_text("nbf", "null")),
    ("exp null", "token-malformed", "exp", with_claim_text("exp", "null")),
    ("exp false", "token-malformed", "exp", with_claims(exp=False)),
    ("exp as digits in a text", "token-malformed", "exp", with_claims(exp="9999999999")),
    ("exp as a whole float", "token-malformed", "exp", with_claim_text("exp", "4102444800.0")),
    ("exp with an exponent", "token-malformed", "exp", with_claim_text("exp", "4e9")),
    ("exp in milliseconds", "token-malformed", "exp", with_claims(exp=4_102_444_800_000)),
    ("exp of zero", "token-expired", "exp", with_claims(exp=0)),
    ("just expired", "token-expired", "exp", at("exp", -31)),
    ("expired for a year", "token-expired", "exp", at("exp", -31_536_000)),
    ("issued in the future", "token-not-yet-valid", "iat", at("iat", 60)),
    ("good from tomorrow", "token-not-yet-valid", "nbf", at("nbf", 86_400)),
    (
        "ends before it begins",
        "token-malformed",
        "lifetime",
        lambda shop: shop.issuer.token({"iat": int(shop.issuer.clock()) + 20, "exp": int(shop.issuer.clock())}),
    ),
    ("no issuer", "token-issuer", "iss", with_claims(iss=None)),
    ("an issuer in a list", "token-issuer", "iss", lambda shop: shop.issuer.token(iss=[shop.issuer.tenant.issuer])),
    (
        "an issuer without its slash",
        "token-issuer",
        "iss",
        lambda shop: shop.issuer.token(iss=shop.issuer.tenant.base_url),
    ),
    (
        "an issuer with two slashes",
        "token-issuer",
        "iss",
        lambda shop: shop.issuer.token(iss=shop.issuer.tenant.issuer + "/"),
    ),
    (
        "an issuer in capitals",
        "token-issuer",
        "iss",
        lambda shop: shop.issuer.token(iss=shop.issuer.tenant.issuer.upper()),
    ),
    (
        "an issuer with a user name",
        "token-issuer",
        "iss",
        lambda shop: shop.issuer.token(iss=shop.issuer.tenant.issuer.replace("//", "//x@")),
    ),
    (
        "an issuer that begins as ours",
        "token-issuer",
        "iss",
        lambda shop: shop.issuer.token(iss=shop.issuer.tenant.issuer + ".evil.example/"),
    ),
    ("another tenant", "token-issuer", "iss", with_claims(iss="https://evil.eu.auth0.com/")),
    (
        "an issuer with a NUL",
        "token-issuer",
        "iss",
        lambda shop: shop.issuer.token(iss=shop.issuer.tenant.issuer + "\0"),
    ),
    ("no audience", "token-malformed", "aud", with_claims(aud=None)),
    ("no audience in a list", "token-malformed", "aud", with_claims(aud=[])),
    ("an empty audience", "token-malformed", "aud", with_claims(aud="")),
    ("an audience that is a number", "token-malformed", "aud", with_claims(aud=1)),
    ("an audience that is an object", "token-malformed", "aud", with_claims(aud={"shop-client": True})),
    ("a list of lists for audience", "token-malformed", "aud", with_claims(aud=[["shop-client"]])),
    ("a number among the audiences", "token-malformed", "aud", with_claims(aud=["shop-client", 1])),
    ("another application", "token-audience", "aud", with_claims(aud="another-client")),
    ("part of our name", "token-audience", "aud", with_claims(aud="shop")),
    ("our name and more", "token-audience", "aud", with_claims(aud="shop-client-2")),
    ("our name in capitals", "token-audience", "aud", with_claims(aud="SHOP-CLIENT")),
    ("our name with a space", "token-audience", "aud", with_claims(aud="shop-client ")),
    ("two names in one text", "token-audience", "aud", with_claims(aud="shop-client other")),
    ("two audiences and no azp", "token-audience", "azp", with_claims(aud=["shop-client", "other"])),
    ("two audiences, azp the other", "token-audience", "azp", with_claims(aud=["shop-client", "other"], azp="other")),
    ("given to another application", "token-audience", "azp", with_claims(azp="other")),
    ("azp that is a list", "token-malformed", "azp", with_claims(azp=["shop-client"])),
    ("azp that is null", "token-malformed", "azp", with_claim_text("azp", "null")),
    ("no subject", "token-subject", "sub", with_claims(sub=None)),
    ("a subject that is null", "token-subject", "sub", with_claim_text("sub", "null")),
    ("an empty subject", "token-subject", "sub", with_claims(sub="")),
    ("a subject that is a number", "token-subject", "sub", with_claims(sub=7)),
    ("a subject that is true", "token-subject", "sub", with_claims(sub=True)),
    ("a subject in a list", "token-subject", "sub", with_claims(sub=["auth0|ann"])),
    ("a subject of 256 characters", "token-subject", "sub", with_claims(sub="a" * 256)),
    ("a subject with a NUL", "token-subject", "sub", with_claims(sub="auth0|ann\0")),
    ("a subject with a line end", "token-subject", "sub", with_claims(sub="auth0|ann\n")),
    ("a subject of half a surrogate pair", "token-subject", "sub", with_claims(sub="auth0|\ud800")),
    ("a subject that turns the writing", "token-subject", "sub", with_claims(sub="auth0|\u202enna")),
    ("an application by itself", "token-subject", "sub", with_claims(sub="abc123@clients")),
    ("client credentials", "token-subject", "sub", with_claims(gty="client-credentials")),
]
CORPUS = [*FORM, *HEADER, *SIGNATURE, *PAYLOAD, *CLAIMS]
ODD: list[tuple[str, Forge]] = [
    ("as a library writes it", with_claims()),
    ("without spaces", lambda shop: signed_text(GOOD_HEADER, compact(shop.issuer.claims()))),
    (
        "with white space",
        lambda shop: signed_text(f" {GOOD_HEADER}\r\n", f"\t{json.dumps(shop.issuer.claims(), indent=1)} "),
    ),
    ("with escapes in a name", with_header(GOOD_HEADER.replace("alg", "\\u0061lg"))),
    ("without a type", with_header('{"alg":"RS256","kid":"first"}')),
    ("with its type in small letters", with_header_members(typ="jwt")),
    ("without a key id, as the tenant has one key", with_header('{"alg":"RS256"}')),
    ("with members that nobody knows", with_header_members(x5t="abc", zip="DEF", note={"a": [1]})),
    ("of 64 levels", with_claim_text("a", nested(63))),
    ("with brackets in a text", with_claims(note="[" * 1000 + '"{\\')),
    ("with large and small numbers", with_claim_text("a", "[1e-400, 123456789012345678901234567890, -0.0]")),
    ("with half a surrogate pair in a name", with_claims(name="Ann \ud83d")),
    ("with a NUL in a name", with_claims(name="Ann\0")),
    (
        "almost too old",
        lambda shop: shop.issuer.token(iat=int(shop.issuer.clock()) - 60, exp=int(shop.issuer.clock()) - 20),
    ),
    ("almost too new", at("iat", 20)),
    ("with a subject of 255 characters", with_claims(sub="a" * 255)),
    ("for two applications, given to ours", with_claims(aud=["shop-client", "other"], azp="shop-client")),
]
