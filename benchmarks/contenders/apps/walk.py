"""How far a walk by GETBULK is in each of the columns that it asks together, whoever sends the requests."""

from collections.abc import Sequence


class Walk:
    """Columns of one table; `found` has what each gave, by index."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.found: dict[str, dict[str, str]] = {column: {} for column in columns}
        self._last = dict(zip(columns, columns, strict=True))  # of the columns that go on: the OID to go on from

    @property
    def oids(self) -> list[str]:
        """What the next request has to ask; nothing at the table's end."""
        return [*self._last.values()]

    def take(self, varbinds: Sequence[tuple[str, str]]) -> None:
        """Take a reply's OIDs and values: one of each column in turn, cut off anywhere."""
        if not varbinds:
            raise RuntimeError("an empty reply")
        columns = [*self._last]
        for place, column in enumerate(columns):
            for oid, value in varbinds[place :: len(columns)]:
                if oid == self._last[column] or not oid.startswith(f"{column}."):  # endOfMibView repeats the OID
                    del self._last[column]
                    break
                self.found[column][oid.removeprefix(f"{column}.")] = value
                self._last[column] = oid
