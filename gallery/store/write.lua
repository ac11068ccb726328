-- One window of decisions: all of it or nothing.
--
-- KEYS[1]  climbtrack:{site}:meta      hash: version, now_ns, next_identity, calibration, longest_us, seq, published, layout,
--                                  said
-- Every key of a site carries the hash tag {site}, so one node of a cluster holds them all. The others are derived:
--   :identities            hash    number -> identity
--   :prototypes            hash    number -> prototypes, of those who have not faded
--   :faded-prototypes      hash    number -> prototypes, of those who have
--   :faded                 zset    number, scored by itself, of the same
--   :by-number             zset    number, scored by itself: paging
--   :by-last               zset    number, scored by the last box of the identity in us
--   :hidden                set     numbers of the identities that are hidden
--   :names                 zset    "number\nname\ntag\ntag...", in a form that ignores case, of those that have a name or
--                                  tags, scored by number; see names.py
--   :named                 set     numbers of the same, for an API of layout 3 beside this gallery
--   :aliases               hash    merged number -> surviving number
--   :tracklets             hash    tracklet_id -> row (without owner and crop)
--   :heads                 hash    tracklet_id -> "revision|owner|first box in us|camera"; owner 0 is pending
--   :crops                 hash    tracklet_id -> JPEG
--   :why                   hash    tracklet_id -> why it was given to its identity
--   :by-time               zset    tracklet_id, scored by its last box in us
--   :by-camera:<camera>    zset    the same, of one camera
--   :by-identity:<number>  zset    the same, of one identity
--   :sightings             hash    number -> how many there are, over all cameras
--   :sightings:<number>:<camera>   zset    the first us of a sighting, scored by its last
--   :journal               zset    "seq|event", scored by seq
--   :words                 hash    word_id -> word
--   :word-order            zset    word_id, scored by its number, from 1
--   :formers               hash    word_id -> what undoing it needs
--   :erased                hash    digest of a tracklet -> word_id of the erasure
--   :progress              hash    camera -> progress (not written here)
--   :copying, :changed     hash, set    while a backup is made: what it began with, and what has changed since; copying.lua
--   :restoring             string  while a restored site takes the place of this one; placing.lua
-- ARGV[1]  msgpack of the write, see write_arguments.py; it refers to binary values by their numbers
-- ARGV[2]  these values, one after the other; they end at op.ends
-- Returns 1 applied, 0 already applied, -1 another version, -2 a backup is being restored.

local prefix = string.sub(KEYS[1], 1, -5)
if redis.call('EXISTS', prefix .. 'restoring') == 1 then return -2 end

-- Change a key. While a backup is made, every element that changes is noted, or the whole key if it is deleted.
local ELEMENT = {HSET = 1, HDEL = 1, HINCRBY = 1, ZADD = 2, ZREM = 1, SADD = 1, SREM = 1}  -- which argument names it
local copying = redis.call('EXISTS', prefix .. 'copying') == 1
local function call(command, key, ...)
  if copying and key ~= KEYS[1] then
    local changed = string.sub(key, #prefix + 1)
    local element = ELEMENT[command] and select(ELEMENT[command], ...)
    if type(element) == 'number' then element = string.format('%.17g', element) end
    redis.call('SADD', prefix .. 'changed', element and changed .. '\0' .. element or changed)
  end
  return redis.call(command, key, ...)
end

local op = cmsgpack.unpack(ARGV[1])

local function value(number)
  return string.sub(ARGV[2], (op.ends[number - 1] or 0) + 1, op.ends[number])
end

-- a row's owner and times; its last box is its score in by-time
local function head(id)
  local value = redis.call('HGET', prefix .. 'heads', id)
  if not value then return nil end
  local revision, owner, first, camera = string.match(value, '^(%d+)|(%d+)|(-?%d+)|(.*)$')
  return {revision = tonumber(revision), owner = tonumber(owner), camera = camera, first = tonumber(first),
    last = tonumber(redis.call('ZSCORE', prefix .. 'by-time', id))}
end

local function set_head(id, row)
  call('HSET', prefix .. 'heads', id,
    string.format('%d|%d|%.0f|%s', row.revision, row.owner, row.first, row.camera))
end

local function of_identity(number)
  return prefix .. 'by-identity:' .. string.format('%d', number)
end

local function sightings_of(number, camera)
  return prefix .. 'sightings:' .. string.format('%d', number) .. ':' .. camera
end

local function count(number, change)
  if call('HINCRBY', prefix .. 'sightings', number, change) == 0 then
    call('HDEL', prefix .. 'sightings', number)
  end
end

-- Take a sighting out of those that end at or after `last_us`, the earliest one; nil if it begins after `until_us`.
local function take_sighting(number, camera, last_us, until_us)
  local key = sightings_of(number, camera)
  local found = redis.call('ZRANGEBYSCORE', key, string.format('%.0f', last_us), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if not found[1] or tonumber(found[1]) > until_us then return nil end
  call('ZREM', key, found[1])
  count(number, -1)
  return {first = tonumber(found[1]), last = tonumber(found[2])}
end

-- Add a presence to a person's sightings: it joins all that it reaches.
local function see(number, camera, first, last)
  local found = take_sighting(number, camera, first - op.gap_us, last + op.gap_us)
  while found do
    first, last = math.min(first, found.first), math.max(last, found.last)
    found = take_sighting(number, camera, first - op.gap_us, last + op.gap_us)
  end
  call('ZADD', sightings_of(number, camera), string.format('%.0f', last), string.format('%.0f', first))
  count(number, 1)
end

-- Give a row to its owner.
local function give(id, row)
  if row.owner == 0 then return end
  call('ZADD', of_identity(row.owner), string.format('%.0f', row.last), id)
  see(row.owner, row.camera, row.first, row.last)
end

-- Take a row from its owner; what is left of its sighting may be several.
local function take(id, row)
  if row.owner == 0 then return end
  call('ZREM', of_identity(row.owner), id)
  local whole = take_sighting(row.owner, row.camera, row.last, row.first)
  if not whole then return end  -- somebody deleted keys
  local rest = redis.call('ZRANGEBYSCORE', of_identity(row.owner), string.format('%.0f', whole.first),
    string.format('%.0f', whole.last))
  for _, other in ipairs(rest) do
    local known = head(other)
    if known.camera == row.camera then see(row.owner, row.camera, known.first, known.last) end
  end
end

-- Take all rows of a person, and return them by their ids.
local function take_all(number)
  local rows = {}
  for _, id in ipairs(redis.call('ZRANGE', of_identity(number), 0, -1)) do
    rows[id] = head(id)
    call('DEL', sightings_of(number, rows[id].camera))
  end
  call('DEL', of_identity(number))
  call('HDEL', prefix .. 'sightings', string.format('%d', number))
  return rows
end

local function forget(id, row)
  call('ZREM', prefix .. 'by-camera:' .. row.camera, id)
  call('ZREM', prefix .. 'by-time', id)
  call('HDEL', prefix .. 'heads', id)
  call('HDEL', prefix .. 'tracklets', id)
  call('HDEL', prefix .. 'crops', id)
  call('HDEL', prefix .. 'why', id)
end

-- What a person is called from now on; nothing if that is empty.
local function call_by(number, entry)
  for _, known in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'names', number, number)) do
    if known ~= entry then call('ZREM', prefix .. 'names', known) end
  end
  if entry ~= '' then call('ZADD', prefix .. 'names', number, entry) end
  call(entry ~= '' and 'SADD' or 'SREM', prefix .. 'named', number)
end

local function drop(number)
  call('HDEL', prefix .. 'identities', number)
  call('HDEL', prefix .. 'prototypes', number)
  call('HDEL', prefix .. 'faded-prototypes', number)
  call('ZREM', prefix .. 'faded', number)
  call('ZREM', prefix .. 'by-number', number)
  call('ZREM', prefix .. 'by-last', number)
  call_by(number, '')
  call('SREM', prefix .. 'hidden', number)
end

-- was it applied before, or has another process written the site?
local stored = 0
for _, row in ipairs(op.rows) do
  local known = head(row[1])
  if known and known.revision >= row[2] then stored = stored + 1 end
end
if #op.rows > 0 and stored == #op.rows then return 0 end
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version ~= op.version then return -1 end
if version > 0 and redis.call('HGET', KEYS[1], 'layout') ~= tostring(op.layout) then return -1 end

for _, pair in ipairs(op.merged) do
  local gone, survivor = pair[1], pair[2]
  for id, row in pairs(take_all(gone)) do
    row.owner = survivor
    set_head(id, row)
    give(id, row)
  end
  drop(gone)
end

local longest = tonumber(redis.call('HGET', KEYS[1], 'longest_us') or '0')
for _, fields in ipairs(op.rows) do
  local id = fields[1]
  local row = {revision = fields[2], owner = fields[3], camera = fields[4], first = fields[5], last = fields[6]}
  local known = head(id)
  local grew = known and known.owner == row.owner and row.first <= known.first and known.last <= row.last
  if known and not grew then take(id, known) end
  call('HSET', prefix .. 'tracklets', id, value(fields[7]))
  set_head(id, row)
  local last = string.format('%.0f', row.last)
  call('ZADD', prefix .. 'by-time', last, id)
  call('ZADD', prefix .. 'by-camera:' .. row.camera, last, id)
  give(id, row)
  longest = math.max(longest, row.last - row.first)
end

for _, pair in ipairs(op.crops) do
  if redis.call('HEXISTS', prefix .. 'heads', pair[1]) == 1 then
    call('HSET', prefix .. 'crops', pair[1], value(pair[2]))
  end
end

for _, pair in ipairs(op.why) do
  if redis.call('HEXISTS', prefix .. 'heads', pair[1]) == 1 then
    call('HSET', prefix .. 'why', pair[1], value(pair[2]))
  end
end

for _, pair in ipairs(op.revised) do
  if redis.call('HEXISTS', prefix .. 'heads', pair[1]) == 1 then
    call('HSET', prefix .. 'tracklets', pair[1], value(pair[2]))
  end
end

for _, pair in ipairs(op.moved) do
  local row = head(pair[1])
  if row and row.owner ~= pair[2] then
    take(pair[1], row)
    row.owner = pair[2]
    set_head(pair[1], row)
    give(pair[1], row)
  end
end

local faded = {}
for _, identity in ipairs(op.identities) do
  call('HSET', prefix .. 'identities', identity[1], value(identity[2]))
  faded[identity[1]] = identity[7]
  if identity[7] then
    call('HDEL', prefix .. 'prototypes', identity[1])
    call('ZADD', prefix .. 'faded', identity[1], identity[1])
  elseif redis.call('ZSCORE', prefix .. 'faded', identity[1]) then
    call('ZREM', prefix .. 'faded', identity[1])
    call('HDEL', prefix .. 'faded-prototypes', identity[1])
  end
  call('ZADD', prefix .. 'by-number', identity[1], identity[1])
  call('ZADD', prefix .. 'by-last', string.format('%.0f', identity[4]), identity[1])
  call_by(identity[1], identity[5])
  call(identity[6] and 'SADD' or 'SREM', prefix .. 'hidden', identity[1])
  call('HDEL', prefix .. 'aliases', identity[1])
  for _, old in ipairs(identity[3]) do call('HSET', prefix .. 'aliases', old, identity[1]) end
end
for _, pair in ipairs(op.prototypes) do
  call('HSET', prefix .. (faded[pair[1]] and 'faded-prototypes' or 'prototypes'), pair[1], value(pair[2]))
end

for _, pair in ipairs(op.expired) do
  drop(pair[1])
  for _, old in ipairs(pair[2]) do call('HDEL', prefix .. 'aliases', old) end
  for id, row in pairs(take_all(pair[1])) do forget(id, row) end
end
local old = redis.call('ZRANGEBYSCORE', prefix .. 'by-time', '-inf', string.format('(%.0f', op.before_us),
  'LIMIT', 0, op.expire_limit)
for _, id in ipairs(old) do
  local row = head(id)
  take(id, row)
  forget(id, row)
end

local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
for _, event in ipairs(op.events) do
  seq = seq + 1
  call('ZADD', prefix .. 'journal', seq, string.format('%d|', seq) .. value(event))
end
local function forget_events(entries)
  for _, entry in ipairs(entries) do call('ZREM', prefix .. 'journal', entry) end
end
forget_events(redis.call('ZRANGE', prefix .. 'journal', 0, -1 - op.journal_length))
for _, number in ipairs(op.forgotten) do
  forget_events(redis.call('ZRANGEBYSCORE', prefix .. 'journal', number, number))
end

for _, pair in ipairs(op.words) do
  if call('HSET', prefix .. 'words', pair[1], value(pair[2])) == 1 then
    call('ZADD', prefix .. 'word-order', call('HINCRBY', KEYS[1], 'said', 1), pair[1])
  end
end
for _, pair in ipairs(op.formers) do call('HSET', prefix .. 'formers', pair[1], value(pair[2])) end
for _, id in ipairs(redis.call('ZRANGE', prefix .. 'word-order', 0, -1 - op.word_limit)) do
  call('HDEL', prefix .. 'words', id)
  call('HDEL', prefix .. 'formers', id)
  call('ZREM', prefix .. 'word-order', id)
end
for _, pair in ipairs(op.erased) do call('HSET', prefix .. 'erased', pair[1], pair[2]) end
for _, digest in ipairs(op.lifted) do call('HDEL', prefix .. 'erased', digest) end
call('HSET', KEYS[1], 'version', version + 1, 'now_ns', op.now_ns, 'next_identity', op.next_identity,
  'calibration', value(op.calibration), 'layout', op.layout, 'longest_us', string.format('%.0f', longest), 'seq', seq)
if copying then
  redis.call('HINCRBY', prefix .. 'copying', 'writes', 1)
  redis.call('PEXPIRE', prefix .. 'changed', 60000)  -- not before :copying, which the backup renews
end
return 1
