-- Mark events up to ARGV[1] as published, as far as there are any; a lower ARGV[1] than before has no effect.
-- KEYS[1]  climbtrack:{site}:meta   hash; see write.lua
local published = tonumber(redis.call('HGET', KEYS[1], 'published') or '0')
local seq = math.min(tonumber(ARGV[1]), tonumber(redis.call('HGET', KEYS[1], 'seq') or '0'))
if seq > published then redis.call('HSET', KEYS[1], 'published', string.format('%d', seq)) end
return 1
