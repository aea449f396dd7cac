-- Behind a class: how many rows there are in a shard beyond one an entry; a field of its backlog, so that it is forgotten
-- with that. No job is called so.
local MORE_ROWS = ':+'
-- In one entry are as many rows as a msgpack array has whose first byte says how many.
local MOST_ROWS = 15
