-- One window of decisions: all of it or nothing.
--
-- KEYS[1]  climbtrack:{site}:meta      hash: version, now_ns, next_identity, calibration, longest_us, seq, published
-- Every key of a site carries the hash tag {site}, so one node of a cluster holds them all. The others are derived:
--   :identities            hash    number -> identity
--   :prototypes            hash    number -> prototypes
--   :by-number             zset    number, scored by itself: paging
--   :aliases               hash    number that was merged away -> number that goes on
--   :tracklets             hash    tracklet_id -> row (without owner and crop)
--   :heads                 hash    tracklet_id -> "revision|owner|camera"; owner 0 is pending
--   :crops                 hash    tracklet_id -> JPEG
--   :by-time               zset    tracklet_id, scored by its last box in us
--   :by-camera:<camera>    zset    the same, of one camera
--   :by-identity:<number>  zset    the same, of one identity
--   :journal               zset    "seq|event", scored by seq
--   :progress              hash    camera -> progress (not written here)
-- ARGV[1]  msgpack of the write, see store_redis._Arguments; binary values stand behind it and are pointed to
-- Returns 1 applied, 0 already applied, -1 another version.

local prefix = string.sub(KEYS[1], 1, -5)
local op = cmsgpack.unpack(ARGV[1])

local function head(id)
  local value = redis.call('HGET', prefix .. 'heads', id)
  if not value then return nil end
  local revision, owner, camera = string.match(value, '^(%d+)|(%d+)|(.*)$')
  return {revision = tonumber(revision), owner = tonumber(owner), camera = camera}
end

local function set_head(id, revision, owner, camera)
  redis.call('HSET', prefix .. 'heads', id, string.format('%d|%d|%s', revision, owner, camera))
end

local function of_identity(number)
  return prefix .. 'by-identity:' .. string.format('%d', number)
end

local function give(id, old, owner, last_us)
  if old ~= 0 and old ~= owner then redis.call('ZREM', of_identity(old), id) end
  if owner ~= 0 then redis.call('ZADD', of_identity(owner), last_us, id) end
end

local function forget(id)
  local known = head(id)
  if not known then return end
  if known.owner ~= 0 then redis.call('ZREM', of_identity(known.owner), id) end
  redis.call('ZREM', prefix .. 'by-camera:' .. known.camera, id)
  redis.call('ZREM', prefix .. 'by-time', id)
  redis.call('HDEL', prefix .. 'heads', id)
  redis.call('HDEL', prefix .. 'tracklets', id)
  redis.call('HDEL', prefix .. 'crops', id)
end

local function drop(number)
  redis.call('HDEL', prefix .. 'identities', number)
  redis.call('HDEL', prefix .. 'prototypes', number)
  redis.call('ZREM', prefix .. 'by-number', number)
end

-- was it applied before, or by somebody else?
local stored = 0
for _, row in ipairs(op.rows) do
  local known = head(row[1])
  if known and known.revision >= row[2] then stored = stored + 1 end
end
if #op.rows > 0 and stored == #op.rows then return 0 end
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version ~= op.version then return -1 end

for _, pair in ipairs(op.merged) do
  local gone, survivor = pair[1], pair[2]
  local members = redis.call('ZRANGE', of_identity(gone), 0, -1, 'WITHSCORES')
  for i = 1, #members, 2 do
    local known = head(members[i])
    set_head(members[i], known.revision, survivor, known.camera)
    give(members[i], gone, survivor, members[i + 1])
  end
  drop(gone)
end

local longest = tonumber(redis.call('HGET', KEYS[1], 'longest_us') or '0')
for _, row in ipairs(op.rows) do
  local id, revision, owner, camera, last_us, length_us = row[1], row[2], row[3], row[4], row[5], row[6]
  local known = head(id)
  redis.call('HSET', prefix .. 'tracklets', id, ARGV[row[7]])
  set_head(id, revision, owner, camera)
  redis.call('ZADD', prefix .. 'by-time', last_us, id)
  redis.call('ZADD', prefix .. 'by-camera:' .. camera, last_us, id)
  give(id, known and known.owner or 0, owner, last_us)
  if length_us > longest then longest = length_us end
end

for _, pair in ipairs(op.crops) do
  if redis.call('HEXISTS', prefix .. 'heads', pair[1]) == 1 then
    redis.call('HSET', prefix .. 'crops', pair[1], ARGV[pair[2]])
  end
end

for _, pair in ipairs(op.moved) do
  local known = head(pair[1])
  if known then
    set_head(pair[1], known.revision, pair[2], known.camera)
    give(pair[1], known.owner, pair[2], redis.call('ZSCORE', prefix .. 'by-time', pair[1]))
  end
end

for _, identity in ipairs(op.identities) do
  redis.call('HSET', prefix .. 'identities', identity[1], ARGV[identity[2]])
  redis.call('ZADD', prefix .. 'by-number', identity[1], identity[1])
  for _, old in ipairs(identity[3]) do redis.call('HSET', prefix .. 'aliases', old, identity[1]) end
end
for _, pair in ipairs(op.prototypes) do redis.call('HSET', prefix .. 'prototypes', pair[1], ARGV[pair[2]]) end

for _, pair in ipairs(op.expired) do
  drop(pair[1])
  for _, old in ipairs(pair[2]) do redis.call('HDEL', prefix .. 'aliases', old) end
  for _, id in ipairs(redis.call('ZRANGE', of_identity(pair[1]), 0, -1)) do forget(id) end
end
local old = redis.call('ZRANGEBYSCORE', prefix .. 'by-time', '-inf', string.format('(%.0f', op.before_us),
  'LIMIT', 0, op.expire_limit)
for _, id in ipairs(old) do forget(id) end

local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
for _, event in ipairs(op.events) do
  seq = seq + 1
  redis.call('ZADD', prefix .. 'journal', seq, string.format('%d|', seq) .. ARGV[event])
end
redis.call('ZREMRANGEBYRANK', prefix .. 'journal', 0, -1 - op.journal_length)
redis.call('HSET', KEYS[1], 'version', version + 1, 'now_ns', op.now_ns, 'next_identity', op.next_identity,
  'calibration', ARGV[op.calibration], 'longest_us', string.format('%.0f', longest), 'seq', seq)
return 1
