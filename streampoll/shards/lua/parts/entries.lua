-- Put an entry into a stream; answer its id.
local function put(stream, kind, job, slot, expiry, body)
  return redis.call('XADD', stream, '*', 'v', '1', 'k', kind, 'j', job, 's', slot, 'x', expiry, 'b', body)
end

-- Put an entry (kind, job, slot, expiry, body) among the delayed; `id` tells it from one that is the same otherwise.
local function put_off(delayed, due_ms, id, ...)
  redis.call('ZADD', delayed, due_ms, cmsgpack.pack({ id, ... }))
end
