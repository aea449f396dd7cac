-- letters: read dead letters, the oldest first.
-- KEYS  1 dead    ARGV  1 first id ('-' = the oldest; '(' before it excludes it)  2 how many at the most
return redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
