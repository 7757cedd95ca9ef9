"""The steps of the feed of live bars, each one Lua script on the keys of one slot.

Whoever works on a shard writes its name into the shard's `holder`, which expires; every step that
reads or removes bars looks there first, so that one who was taken for dead does nothing by it.
"""

from bellwether.links.redis import Script

# KEYS: stream. ARGV: capacity, then the messages. Returns their number, or minus what waits.
PUBLISH = Script("""\
local waiting = redis.call('XLEN', KEYS[1])
if waiting + #ARGV - 1 > tonumber(ARGV[1]) then return -math.max(waiting, 1) end
for i = 2, #ARGV do redis.call('XADD', KEYS[1], '*', 'bar', ARGV[i]) end
return #ARGV - 1
""")

# KEYS: members. ARGV: consumer, milliseconds. Returns how many consumers live.
JOIN = Script("""\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZCARD', KEYS[1])
""")

# KEYS: holder. ARGV: consumer, milliseconds, 1 to take it if it is free. Returns 1 if held.
HOLD = Script("""\
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] or (not holder and ARGV[3] == '1') then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return 0
""")

# KEYS: holder. ARGV: consumer.
RELEASE = Script("""\
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
""")

# KEYS: stream, holder. ARGV: consumer, limit. Returns the oldest entries, or 0 if it is not held.
TAKE = Script("""\
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[2])
""")

# KEYS: stream, holder. ARGV: consumer, entries. Returns how many were there, or -1.
DONE = Script("""\
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end
local removed = 0
for i = 2, #ARGV do removed = removed + redis.call('XDEL', KEYS[1], ARGV[i]) end
return removed
""")

# KEYS: stream, holder. Returns what waits, and who holds it.
STATE = Script("return {redis.call('XLEN', KEYS[1]), redis.call('GET', KEYS[2])}")
