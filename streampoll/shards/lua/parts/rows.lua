-- How many results there are in a shard beyond one an entry: a field of its backlog, so that it is forgotten with that. No
-- job is called so.
local MORE_ROWS = 'results:+'
