-- Append to the audit log, and delete what is old or too much at its beginning.
--
-- KEYS[1]  climbtrack:{site}:audit      zset    "seq|us|entry", scored by seq
-- KEYS[2]  climbtrack:{site}:audit-seq  text    seq of the last entry
-- ARGV     entry, its time in us, the oldest time in us to keep, how many to keep, how many old ones to delete

local seq = redis.call('INCR', KEYS[2])
redis.call('ZADD', KEYS[1], seq, string.format('%d|%s|', seq, ARGV[2]) .. ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%d', seq - tonumber(ARGV[4]) + 1))
local first = redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[5]) - 1)
for _, entry in ipairs(first) do
  if tonumber(string.match(entry, '^%d+|(-?%d+)|')) >= tonumber(ARGV[3]) then break end
  redis.call('ZREM', KEYS[1], entry)
end
