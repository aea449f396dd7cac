"""How far a long command is: a bar or a clock on stderr while somebody looks at a terminal, else nothing at all."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Element = TypeVar("Element")


@contextmanager
def progress(words: str, total: int | None, console: Console | None = None) -> Iterator[Callable[[], None]]:
    """Show how far it is, or without a total for how long it goes on; yields what is called as each part is done."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    clock = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*(columns if total else clock), console=console, transient=True) as shown:
        task = shown.add_task(words, total=total)
        yield lambda: shown.advance(task)


def followed(words: str, elements: Sequence[Element], console: Console | None = None) -> Iterable[Element]:
    """Yield elements, showing how far it is."""
    with progress(words, len(elements), console) as done:
        for element in elements:
            yield element
            done()
