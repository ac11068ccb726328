-- Read a site while galleries write it; copying.py says how the parts become one state.
--
-- KEYS[1]  climbtrack:{site}:meta
-- ARGV[1]  the step, ARGV[2] the token of this backup
-- Keys are named by what follows climbtrack:{site}: in their names.

local prefix = string.sub(KEYS[1], 1, -5)
local copying, changed = prefix .. 'copying', prefix .. 'changed'
local READ = {
  hash = {'HLEN', 'HGETALL'}, zset = {'ZCARD', 'ZRANGE', 0, -1, 'WITHSCORES'}, set = {'SCARD', 'SMEMBERS'},
  list = {'LLEN', 'LRANGE', 0, -1}, string = {'STRLEN', 'GET'}, stream = {'XLEN', 'XRANGE', '-', '+'},
}

-- A key: its name, type ('none' if there is none), remaining milliseconds (-1 without an end), and its content; an
-- empty one if it is longer than `limit`, unless it is a string.
local function whole(name, limit)
  local key = prefix .. name
  local kind = redis.call('TYPE', key)['ok']
  local read = READ[kind]
  if not read then return {name, kind, -1, 0, {}} end
  local length = redis.call(read[1], key)
  local content = {}
  if kind == 'string' then content = {redis.call('GET', key)}
  elseif length <= limit then content = redis.call(read[2], key, unpack(read, 3)) end
  return {name, kind, redis.call('PTTL', key), length, content}
end

-- An element of a key: name of the key, its type, the element, and its value; without one it is not in the key.
local function part(name, element)
  local key = prefix .. name
  local kind = redis.call('TYPE', key)['ok']
  local value = false
  if kind == 'hash' then value = redis.call('HGET', key, element)
  elseif kind == 'zset' then value = redis.call('ZSCORE', key, element)
  elseif kind == 'set' then value = redis.call('SISMEMBER', key, element) == 1 and '' end
  if value then return {name, kind, element, value} end
  return {name, kind, element}
end

-- ARGV[3] milliseconds for which the backup may be silent. Returns 0 if another one is going on.
local function begin()
  if redis.call('EXISTS', copying) == 1 then return 0 end
  local meta = redis.call('HMGET', KEYS[1], 'version', 'layout')
  redis.call('HSET', copying, 'token', ARGV[2], 'version', meta[1] or '0', 'layout', meta[2] or '0', 'writes', 0)
  redis.call('PEXPIRE', copying, ARGV[3])
  redis.call('DEL', changed)
  return 1
end

-- ARGV[3] the longest keys that are returned whole, ARGV[4...] names. Returns a `whole` for each.
local function keys()
  local found = {}
  for i = 4, #ARGV do found[i - 3] = whole(ARGV[i], tonumber(ARGV[3])) end
  return found
end

-- ARGV[3] how many changes to read, ARGV[4] and ARGV[5...] as ARGV[3...] of `keys`, for those read with the last;
-- :meta and :progress belong to the version that is copied, so they are always read with it.
-- Returns {0} if the backup was silent for too long, {-1} if somebody wrote without noting what, {1, parts, wholes,
-- left} if that many changes are left, and {2, parts, wholes} with the last: all is then the site as of this moment.
local function changes()
  if redis.call('HGET', copying, 'token') ~= ARGV[2] then return {0} end
  local parts, wholes = {}, {}
  for _, one in ipairs(redis.call('SPOP', changed, ARGV[3])) do
    local at = string.find(one, '\0', 1, true)
    if at then parts[#parts + 1] = part(string.sub(one, 1, at - 1), string.sub(one, at + 1))
    else wholes[#wholes + 1] = whole(one, math.huge) end
  end
  local left = redis.call('SCARD', changed)
  if left > 0 then return {1, parts, wholes, left} end
  local begun = redis.call('HMGET', copying, 'version', 'writes', 'layout')
  local now = redis.call('HMGET', KEYS[1], 'version', 'layout')
  redis.call('DEL', copying)
  if tonumber(begun[1]) + tonumber(begun[2]) ~= tonumber(now[1] or '0') then return {-1} end
  if begun[1] ~= '0' and begun[3] ~= (now[2] or '0') then return {-1} end
  wholes[#wholes + 1] = whole('meta', math.huge)
  wholes[#wholes + 1] = whole('progress', math.huge)
  for i = 5, #ARGV do wholes[#wholes + 1] = whole(ARGV[i], tonumber(ARGV[4])) end
  return {2, parts, wholes}
end

return ({begin = begin, keys = keys, changes = changes})[ARGV[1]]()
