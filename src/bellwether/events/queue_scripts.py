"""The steps of the request queue, each one Lua script.

KEYS are always stream, state, dead, bodies and reasons; ARGV is told with each script.
"""

from bellwether.links.redis import Script

# ARGV: request id, body, capacity. Returns 1, 0 if it was known, or minus the number in the queue.
SUBMIT = Script("""\
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 0 end
if redis.call('HEXISTS', KEYS[4], ARGV[1]) == 1 then return 0 end
local length = redis.call('XLEN', KEYS[1])
if length >= tonumber(ARGV[3]) then return -math.max(length, 1) end
local entry = redis.call('XADD', KEYS[1], '*', 'id', ARGV[1], 'body', ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], entry)
return 1
""")

# ARGV: group, consumer, idle milliseconds, limit. Returns {entry, id, body, deliveries} each.
# First what was taken and left behind, then what is new. An entry that is no request, which
# nobody here writes, is named by its place, so that a worker can bury it.
TAKE = Script("""\
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
local found = {}
local function add(entry, deliveries)
  local named = {}
  for i = 1, #entry[2], 2 do named[entry[2][i]] = entry[2][i + 1] end
  found[#found + 1] = {entry[1], named['id'] or entry[1], named['body'] or '', deliveries}
end
local limit = tonumber(ARGV[4])
local cursor = '0'
repeat
  local left = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], cursor,
    'COUNT', limit - #found)
  cursor = left[1]
  for _, entry in ipairs(left[2]) do
    add(entry, redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)[1][4])
  end
until cursor == '0-0' or #found >= limit
if #found < limit then
  local read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', limit - #found,
    'STREAMS', KEYS[1], '>')
  if read then
    for _, entry in ipairs(read[1][2]) do add(entry, 1) end
  end
end
return found
""")

# ARGV: request id, entry, group. Returns 1 if the request was in the queue.
DONE = Script("""\
redis.pcall('XACK', KEYS[1], ARGV[3], ARGV[2])
local removed = redis.call('XDEL', KEYS[1], ARGV[2])
if redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[2], ARGV[1]) end
return removed
""")

# ARGV: request id, entry, group, body, why, microseconds. Returns 1 if it was in the queue.
BURY = Script("""\
redis.pcall('XACK', KEYS[1], ARGV[3], ARGV[2])
if redis.call('XDEL', KEYS[1], ARGV[2]) == 0 then return 0 end
if redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[2], ARGV[1]) end
redis.call('ZADD', KEYS[3], ARGV[6], ARGV[1])
redis.call('HSET', KEYS[4], ARGV[1], ARGV[4])
redis.call('HSET', KEYS[5], ARGV[1], ARGV[5])
return 1
""")

_LETTER = """\
local function letter(id, micros)
  return {id, redis.call('HGET', KEYS[4], id), redis.call('HGET', KEYS[5], id), micros}
end
"""

# ARGV: limit. Returns {id, body, why, microseconds} each, newest first.
DEAD_NEWEST = Script(f"""\
{_LETTER}\
local found = {{}}
local ids = redis.call('ZREVRANGE', KEYS[3], 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
for i = 1, #ids, 2 do found[#found + 1] = letter(ids[i], ids[i + 1]) end
return found
""")

# ARGV: request id. Returns the one, likewise, or none.
DEAD_ONE = Script(f"""\
{_LETTER}\
local micros = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not micros then return {{}} end
return {{letter(ARGV[1], micros)}}
""")

# ARGV: request id. Returns 1 if it was dead.
REVIVE = Script("""\
local body = redis.call('HGET', KEYS[4], ARGV[1])
if not body then return 0 end
local entry = redis.call('XADD', KEYS[1], '*', 'id', ARGV[1], 'body', body)
redis.call('HSET', KEYS[2], ARGV[1], entry)
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
return 1
""")

# ARGV: group. Returns entries, taken entries, dead letters.
COUNT = Script("""\
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
local taken = 0
if not pending.err then taken = pending[1] end
return {redis.call('XLEN', KEYS[1]), taken, redis.call('ZCARD', KEYS[3])}
""")

# ARGV: group, idle milliseconds. Returns how many consumers were forgotten.
SWEEP = Script("""\
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then return 0 end
local forgotten = 0
for _, fields in ipairs(consumers) do
  local consumer = {}
  for i = 1, #fields, 2 do consumer[fields[i]] = fields[i + 1] end
  if consumer['pending'] == 0 and consumer['idle'] > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    forgotten = forgotten + 1
  end
end
return forgotten
""")
