"""A poll's values drawn for a terminal."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from streampoll.model import Table, Value
from streampoll.results.render import Look, as_it_is, cell_text, plain

_GAP = 3  # columns of the terminal between two of the table
_LEAST_WIDTH = 80


def table_console() -> Console:
    """Make the console of tables: in a narrower terminal their lines wrap, which hides nothing of them."""
    console = Console(highlight=False)
    return console if console.width >= _LEAST_WIDTH else Console(highlight=False, width=_LEAST_WIDTH)


def table_grids(name: str, table: Table, width: int, look: Look = as_it_is) -> Iterator[Grid]:
    """Draw a table, its naming column first; one wider than the terminal goes on below, each part with the names."""
    columns = ("index", *map(plain, table.columns))
    naming = columns.index(plain(table.key)) if table.key in table.columns else 0
    cells = [list(_cells(name, table, row, look)) for row in table.rows]
    widths = [max([len(title), *(len(row[place]) for row in cells)]) for place, title in enumerate(columns)]
    others = [place for place in range(len(columns)) if place != naming]
    title = plain(name) if table.complete else f"{plain(name)} (incomplete)"
    for places in _parts(others, widths, width - widths[naming] - _GAP):
        yield _grid(title, columns, (naming, *places), cells)
        title = ""


def _cells(name: str, table: Table, row: Sequence[Value], look: Look) -> Iterator[str]:
    yield cell_text(row[0])
    for column, value in zip(table.columns, row[1:], strict=True):
        yield cell_text(value, "", look(name, column, value))


def _parts(places: Sequence[int], widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Split columns into parts that fit the room, at least one column each."""
    part: list[int] = []
    used = 0
    for place in places:
        if part and used + widths[place] + _GAP > room:
            yield part
            part, used = [], 0
        part.append(place)
        used += widths[place] + _GAP
    if part:
        yield part


def _grid(title: str, columns: Sequence[str], places: Sequence[int], cells: Sequence[Sequence[str]]) -> Grid:
    grid = Grid(title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place in places:
        grid.add_column(Text(columns[place]), overflow="fold")
    for row in cells:
        grid.add_row(*(Text(row[place]) for place in places))
    return grid
