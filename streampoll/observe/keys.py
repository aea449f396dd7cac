"""What keys do on every full screen, and the line that says so."""

from collections.abc import Iterable

from rich.text import Text

_ALWAYS = (("q", "quit"), ("p", "pause"))


class Keyed:
    """A full screen that keys end and hold still; others are its own."""

    def __init__(self) -> None:
        self.paused = False
        self.ended = False

    def press(self, key: str) -> None:
        """Take a key."""
        match key:
            case "q" | "escape":
                self.ended = True
            case "p" | "space":
                self.paused = not self.paused
            case _:
                self.pressed(key)

    def pressed(self, key: str) -> None:
        """Take a key that means something here alone."""

    def keys(self, own: Iterable[tuple[str, str]]) -> Text:
        """Say what keys do: those of every screen, and its own as (key, what it does)."""
        said = Text.assemble(("paused  ", "bold yellow") if self.paused else ("", ""))
        for key, what in (*_ALWAYS, *own):
            said.append(f" {key} ", "reverse").append(f" {what}  ", "dim")
        return said
