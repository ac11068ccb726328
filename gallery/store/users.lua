-- Change the users of a site if nobody has changed them since they were read.
--
-- KEYS[1]  climbtrack:{site}:users          hash    name -> user
-- KEYS[2]  climbtrack:{site}:users-version  text    how often they were changed
-- ARGV     the version that was read, the number of names to delete, those names, then names and users to write
-- Returns 1 if they were changed, 0 if somebody else was faster.

if (redis.call('GET', KEYS[2]) or '0') ~= ARGV[1] then return 0 end
local gone = tonumber(ARGV[2])
for i = 3, 2 + gone do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = 3 + gone, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('INCR', KEYS[2])
return 1
