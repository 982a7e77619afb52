"""The parameters of the login request that carry a visitor's values to Auth0.

Auth0 lets through at most ten parameters named ``ext-…``. The name has at most 28 characters after that: lower case
letters, ``-`` and ``_`` (auth0.js rewrites digits and capitals). The value has at most 255 of a small alphabet.
Source: Auth0, "Authorization Code Flow with PAR", "Post-login event object".

A value is a list of texts: empty ones are dropped, each other is percent-encoded (``! ~ * ' ( )`` too), then every
``%`` becomes ``~``, and the texts are joined by ``*``. So it stays in ``[A-Za-z0-9_.~*-]``. A list without texts, or
longer than 255 when encoded, is not sent. The login call of the site encodes (templates/encoding.js.jinja, and
`encode_values` here), the Action and the Rule decode (templates/decoding.js.jinja).
"""

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import quote

PROFILE_ID_PARAMETER = "ext-bc_profile_id"
MAX_PARAMETERS = 10
MAX_VALUE_PARAMETERS = MAX_PARAMETERS - 1
MAX_VALUE_LENGTH = 255

_PREFIX = "ext-bcp_"
_LONGEST_PLAIN = 24
_LONGEST_START = 17
_DIGEST_LETTERS = 6


def parameter_name(profile_property: str) -> str:
    """Return the parameter that carries ``profile_property``, always the same one.

    A property id that fits is used as it is; of any other the readable part is kept, with a digest. Somebody who tries
    finds two ids with one parameter, so a goal refuses such a pair.
    """
    if re.fullmatch(rf"[a-z_-]{{1,{_LONGEST_PLAIN}}}", profile_property):
        return _PREFIX + profile_property
    readable = re.sub(r"[^a-z]+", "_", profile_property.lower()).strip("_")[:_LONGEST_START]
    return f"{_PREFIX}{readable}_{_letters(profile_property)}"


def encode_values(texts: Iterable[str]) -> str | None:
    """Return ``texts`` as a parameter's value, letter for letter as the login call of the site sends it.

    ``None`` if nothing is sent: there is no text, they are too long together, or one has half of a surrogate pair.
    """
    try:
        # quote() leaves "~" alone, which here begins an escape.
        escaped = [quote(text, safe="").replace("~", "%7E").replace("%", "~") for text in texts if text]
    except UnicodeEncodeError:
        return None
    encoded = "*".join(escaped)
    return encoded if 0 < len(encoded) <= MAX_VALUE_LENGTH else None


def _letters(text: str) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    letters = []
    for _ in range(_DIGEST_LETTERS):
        number, remainder = divmod(number, 26)
        letters.append(chr(ord("a") + remainder))
    return "".join(letters)
