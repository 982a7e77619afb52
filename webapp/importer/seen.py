"""Which users an export has, in a memory that does not grow with their number."""

from hashlib import blake2b

BITS = 1 << 27
"""16 MB. Of a million users it takes one in a million whom the export has not for one whom it has."""
_PLACES = 4


class SeenUsers:
    """Users that were seen. Some few who were not are taken for seen, others each time (a Bloom filter).

    ``salt`` makes it others: whoever is overlooked by one run is not by the next.
    """

    def __init__(self, salt: str, *, bits: int = BITS) -> None:
        self._key = salt.encode()[:64]
        self._bits = bits
        self._seen = bytearray(bits // 8)

    def add(self, user_id: str) -> None:
        """Note that the export has this user."""
        seen = self._seen
        for place in self._places(user_id):
            seen[place >> 3] |= 1 << (place & 7)

    def __contains__(self, user_id: str) -> bool:
        """Say if the user was seen, or may have been."""
        return all(self._seen[place >> 3] & 1 << (place & 7) for place in self._places(user_id))

    def _places(self, user_id: str) -> list[int]:
        digest = blake2b(user_id.encode(errors="surrogatepass"), digest_size=4 * _PLACES, key=self._key).digest()
        return [int.from_bytes(digest[start : start + 4]) % self._bits for start in range(0, 4 * _PLACES, 4)]
