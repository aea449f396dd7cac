-- Answer what the group has on record of an entry that a consumer holds: {id, consumer, idle ms, deliveries}. nil if it
-- holds it no more, or there is no group. nil, and the error, if that can't be asked: a user that may not ask holds its
-- entries all the same.
local function held_by(stream, group, consumer, id)
  local held = redis.pcall('XPENDING', stream, group, id, id, 1, consumer)
  if not held.err then
    return held[1]
  end
  if not string.find(held.err, 'NOGROUP', 1, true) then
    return nil, held
  end
end
