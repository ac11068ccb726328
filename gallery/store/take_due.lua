-- Deliveries that are due: they are returned, and nobody else takes them for a while.
--
-- KEYS[1]  climbtrack:{site}:deliveries-due   sorted set: delivery id, by when it is due in us
-- KEYS[2]  climbtrack:{site}:deliveries       hash: delivery id -> delivery
-- ARGV     now and the end of the lease in us, the most deliveries
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
local found = {}
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], ARGV[2], id)
  local kept = redis.call('HGET', KEYS[2], id)
  if kept then found[#found + 1] = kept else redis.call('ZREM', KEYS[1], id) end
end
return found
