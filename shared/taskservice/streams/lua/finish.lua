#!lua flags=allow-oom
-- finish: put a worker's reports into the inbox, as one entry, and take what they end out of the dispatch streams.
-- KEYS: inbox dispatch...
-- ARGV: worker items...
-- ANSWERS: OK accepted
--
-- items: (dispatch index, entry id, kind, report json) each; accepted has one character for each, 1 or 0 (NOTOWNER).
-- `started` keeps the entry, and is accepted while it is pending to this worker. Every other kind ends it: XACK = 1
-- is the proof that it was still the worker's own. XACK itself asks for no owner, but nobody ever claims an entry of
-- somebody else (there is no XCLAIM in this system), and whoever takes one back acknowledges and deletes it (append).
local call, pcall = redis.call, redis.pcall
local worker = ARGV[1]

local kind = call('TYPE', KEYS[1]).ok
if kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE inbox is a ' .. kind)
end
for i = 2, #KEYS do
  kind = call('TYPE', KEYS[i]).ok
  if kind ~= 'stream' and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. kind)
  end
end

local accepted, reports = {}, {}
for at = 2, #ARGV, 4 do
  local key, id = KEYS[1 + tonumber(ARGV[at])], ARGV[at + 1]
  local mine
  if ARGV[at + 2] == 'started' then
    local pending = pcall('XPENDING', key, 'workers', id, id, 1, worker) -- an error: no such group, so not pending
    mine = not pending.err and #pending == 1
  else
    mine = call('XACK', key, 'workers', id) == 1
    if mine then
      call('XDEL', key, id)
    end
  end
  if mine then
    reports[#reports + 1] = ARGV[at + 3]
  end
  accepted[#accepted + 1] = mine and '1' or '0'
end
if #reports > 0 then
  call('XADD', KEYS[1], '*', 'r', '[' .. table.concat(reports, ',') .. ']', 'w', worker)
end
return {'OK', table.concat(accepted)}
