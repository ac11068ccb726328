-- The steps by which a restored site, complete under :restoring:, takes the place of what is stored; see placing.py.
--
-- KEYS[1]  climbtrack:{site}:meta
-- ARGV[1]  the step

local prefix = string.sub(KEYS[1], 1, -5)
local marker, staged = prefix .. 'restoring', prefix .. 'restoring:'

-- Hide what is stored, unless decisions were stored that nobody wanted to replace; galleries wait from then on.
-- ARGV[2] digest of the backup, ARGV[3] whether to replace, ARGV[4] what to add to the version, ARGV[5...] keys to delete
-- Returns 1, or 0 if there are decisions.
local function claim()
  local version = redis.call('HGET', KEYS[1], 'version')
  if version and ARGV[3] ~= '1' then return 0 end
  local restored = redis.call('HGET', staged .. 'meta', 'version') or '0'
  local above = math.max(tonumber(version or '0'), tonumber(restored)) + tonumber(ARGV[4])
  redis.call('HSET', staged .. 'meta', 'version', string.format('%.0f', above))
  redis.call('SET', marker, 'clearing:' .. ARGV[2])
  for i = 5, #ARGV do redis.call('UNLINK', prefix .. ARGV[i]) end
  return 1
end

-- Show the restored site. ARGV[2...] its keys that are not in place yet
local function show()
  for i = 2, #ARGV do redis.call('RENAME', staged .. ARGV[i], prefix .. ARGV[i]) end
  redis.call('DEL', marker)
  return 1
end

return ({claim = claim, show = show})[ARGV[1]]()
