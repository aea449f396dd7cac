"""A body, piece by piece, never larger than it may be: the bound is on what it unpacks to.

gzip is unpacked here and not by the HTTP library, which unpacks a piece whole, however large that becomes: 64 KiB of a
bomb are 64 MiB.
"""

import zlib

from streampoll.http.port import Failure
from streampoll.model import Status

ENCODINGS = "gzip"  # what we say that we accept
_GZIP = 31  # zlib's wbits for a gzip header and trailer


class BodyReader:
    """Takes the pieces of one body."""

    def __init__(self, encoding: str, most: int) -> None:
        """`encoding` is the header Content-Encoding. Raises Failure: it is none that we accept."""
        words = [word.strip().lower() for word in encoding.split(",") if word.strip() and word.strip() != "identity"]
        if words not in ([], ["gzip"], ["x-gzip"]):
            raise Failure(Status.DECODE, "packed in a way that was not asked for (only gzip was)")
        self._stream = zlib.decompressobj(_GZIP) if words else None
        self._most = most
        self._body = bytearray()

    def take(self, piece: bytes) -> None:
        """Add a piece. Raises Failure: too large, or not gzip."""
        if self._stream is None:
            self._body += piece
        else:
            try:
                self._body += self._stream.decompress(piece, self._most - len(self._body) + 1)
            except zlib.error:
                raise Failure(Status.DECODE, "said to be gzip, and is not") from None
        if len(self._body) > self._most:
            raise Failure(Status.ERROR, f"longer than http.max_body_bytes ({self._most:,})")

    def end(self) -> bytes:
        """Return the whole. Raises Failure: gzip that is cut short."""
        if self._stream is not None and not self._stream.eof and self._body:
            raise Failure(Status.DECODE, "gzip that is cut short")
        return bytes(self._body)
