"""What has to be looked at and changed in one step: who holds an entry, whether a turn was opened.

XCLAIM and XACK ask nobody whose an entry is. A holder that was suspended and wakes up must neither take an entry back
from its new holder nor delete it, so these look first; and a turn that may have been opened is not opened twice.
They touch only the keys they are given and are run by EVAL: nothing has to be loaded beforehand, and nothing is missing
after a restart.
"""

from __future__ import annotations

RENEW = """
local renewed = {}
for i = 3, #ARGV do
  local mine = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if #mine == 1 and #redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID') == 1 then
    renewed[#renewed + 1] = ARGV[i]
  end
end
return renewed
"""
"""KEYS: stream. ARGV: group, consumer, ids. Sets the idle time of those that are the consumer's own to 0 and leaves
their delivery count; replies with their ids."""

RELEASE = """
local mine = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #mine == 0 then return 0 end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
if KEYS[2] then redis.call('DEL', KEYS[2]) end
return 1
"""
"""KEYS: stream, perhaps a key. ARGV: group, consumer, id. Acknowledges and deletes the entry if it is the consumer's,
and the key with it."""

HAND_BACK = """
local mine = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #mine == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[4], 0, ARGV[3], 'IDLE', ARGV[5], 'RETRYCOUNT', ARGV[6], 'JUSTID')
return 1
"""
"""KEYS: stream. ARGV: group, consumer, id, the consumer that stands for nobody, idle time in ms, delivery count."""

ADOPT = """
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
local id = redis.call('XADD', KEYS[1], '*', ARGV[3], ARGV[4])
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'FORCE', 'JUSTID')
return id
"""
"""KEYS: stream. ARGV: group, consumer, field, value. Adds an entry that is pending with the consumer from the start,
to a group that is made if need be."""

# When memory is short the first XADD of a script is refused and nothing is changed; a DEL before it would let the rest
# through, so it comes only where there is something to delete.
OPEN = """
local top = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if top and top[2][1] == ARGV[2] then
  if first then return first[2][4] end
elseif top and (ARGV[9] == '0' or tonumber(string.match(top[1], '^%d+')) > tonumber(ARGV[1])) then
  return redis.error_reply('FENCED ' .. top[1])
end
if first and first[2][4] then
  redis.call('XACK', KEYS[4], ARGV[10], first[2][4])
  redis.call('XDEL', KEYS[4], first[2][4])
end
if top or first then redis.call('DEL', KEYS[1], KEYS[2]) end
redis.call('XADD', KEYS[1], ARGV[3], ARGV[2], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[8])
local offer = redis.call('XADD', KEYS[4], '*', ARGV[2], ARGV[7])
redis.call('XADD', KEYS[2], ARGV[5], ARGV[2], ARGV[6], 'offer', offer)
redis.call('PEXPIRE', KEYS[2], ARGV[8])
if ARGV[9] ~= '0' then redis.call('SET', KEYS[3], ARGV[9], 'PX', ARGV[8]) end
return offer
"""
"""KEYS: up, down, lease, offers. ARGV: epoch, mark, up's first id and value, down's first id and value, the offer, ttl
in ms, the number that leases go on from (0: the turn must be new), group. Opens a turn and replies with the id of its
offer, which it also keeps in down's first entry; run again with the same mark it only replies. Refuses where another
has written to the turn: at all, or at a later epoch if leases go on."""

CLOSE_UNHEARD = """
local top = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not top or top[2][1] ~= ARGV[1] then return 0 end
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if first and first[2][4] then
  redis.call('XACK', KEYS[3], ARGV[2], first[2][4])
  redis.call('XDEL', KEYS[3], first[2][4])
end
redis.call('DEL', KEYS[1], KEYS[2])
return 1
"""
"""KEYS: up, down, offers. ARGV: mark, group. Takes back a turn whose opening was never heard to succeed, if it did."""

TAKE_TOKEN = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local interval, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = full_at + interval - now - interval * size
if wait > 0 then return wait end
redis.call('SET', KEYS[1], full_at + interval, 'PX', full_at + interval - now)
return 0
"""
"""KEYS: a bucket. ARGV: milliseconds a token takes to grow, how many it holds. The key holds the moment at which the
bucket will be full (the generic cell rate algorithm); replies 0, or the milliseconds until there is a token."""

REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""
"""KEYS: a value. ARGV: what it must be, what it becomes, seconds to live. Replies whether it was that."""

COUNT = """
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count + tonumber(ARGV[1]) > tonumber(ARGV[2]) then
  local left = redis.call('PTTL', KEYS[1])
  return left > 0 and left or tonumber(ARGV[3])
end
redis.call('INCRBY', KEYS[1], ARGV[1])
if count == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 0
"""
"""KEYS: a counter. ARGV: how many, how many there may be, milliseconds from the first one until all are forgotten.
Replies 0, or the milliseconds until there is room again."""

UNCOUNT = """
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count <= tonumber(ARGV[1]) then return redis.call('DEL', KEYS[1]) end
return redis.call('DECRBY', KEYS[1], ARGV[1])
"""
"""KEYS: a counter. ARGV: how many of it did not happen after all."""
