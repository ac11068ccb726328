-- Mark events up to ARGV[1] as published; a lower ARGV[1] than before has no effect.
-- KEYS[1]  climbtrack:{site}:meta   hash; see write.lua
local published = tonumber(redis.call('HGET', KEYS[1], 'published') or '0')
if tonumber(ARGV[1]) > published then redis.call('HSET', KEYS[1], 'published', ARGV[1]) end
return 1
