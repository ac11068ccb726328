-- Open a session, and delete those that have ended or are too many.
--
-- KEYS[1]  climbtrack:{site}:sessions       hash    digest of the cookie -> session
-- KEYS[2]  climbtrack:{site}:session-ends   zset    the same digests, scored by their end in us
-- ARGV     digest, session, its end in us, now in us, how many may be open

redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
local function drop(gone)
  for _, digest in ipairs(gone) do
    redis.call('HDEL', KEYS[1], digest)
    redis.call('ZREM', KEYS[2], digest)
  end
end
drop(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[4], 'LIMIT', 0, 1000))
local many = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[5])
if many > 0 then drop(redis.call('ZRANGE', KEYS[2], 0, many - 1)) end
