"""The scripts that run inside Redis: each is one step that nothing comes between. Text only."""

from __future__ import annotations

from typing import Final

COMMIT: Final = """
-- KEYS: lock, epoch, counts, cursors, undo, stage.  ARGV: token, milliseconds that undo is kept.
-- A change has four parts: p(ut), d(elete) or c(ursor); view or cursor name; place; value.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  redis.call('DEL', KEYS[6])
  return 0
end
local last = redis.call('LLEN', KEYS[6]) - 1
if last >= 0 then
  local undo = KEYS[5] .. string.format('%.0f', redis.call('INCR', KEYS[2]))
  for first = 0, last, 4000 do
    local part = redis.call('LRANGE', KEYS[6], first, first + 3999)
    for i = 1, #part, 4 do
      local kind, name, place, value = part[i], part[i + 1], part[i + 2], part[i + 3]
      if kind == 'c' then
        local old = redis.call('HGET', KEYS[4], name)
        redis.call('HSET', undo, 'c:' .. name, old and ('v' .. old) or 'a')
        redis.call('HSET', KEYS[4], name, value)
      else
        local old = redis.call('GET', place)
        redis.call('HSET', undo, place, old and ('v' .. old) or 'a')
        if kind == 'p' then
          redis.call('SET', place, value)
          if not old then redis.call('HINCRBY', KEYS[3], name, 1) end
        elseif old then
          redis.call('DEL', place)
          redis.call('HINCRBY', KEYS[3], name, -1)
        end
      end
    end
  end
  redis.call('PEXPIRE', undo, ARGV[2])
  redis.call('DEL', KEYS[6])
end
redis.call('DEL', KEYS[1])
return 1
"""

RENEW: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
