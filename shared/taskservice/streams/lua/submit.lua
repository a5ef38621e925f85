#!lua
-- submit: put a command into the inbox, once, under its idempotency key and its own id.
-- KEYS: inbox known...
-- ARGV: command_id body_sha command ttl_ms...
-- ANSWERS: OK inbox_id | SAME command_id | OTHER_BODY command_id
--
-- known[1] is what the client's key is remembered under, known[2] the same for the command's own id; a client without
-- key has the latter alone. ttl_ms has one value for each. A value is "<command id> <body sha>".
-- No allow-oom: out of memory Redis refuses the whole script before its first line (the wrapper's answer OOM).
local call = redis.call
local command_id, body_sha = ARGV[1], ARGV[2]

local kind = call('TYPE', KEYS[1]).ok
if kind ~= 'stream' and kind ~= 'none' then
  return redis.error_reply('WRONGTYPE inbox is a ' .. kind)
end
for i = 2, #KEYS do
  local known = call('GET', KEYS[i])
  if known then
    local id, sha = string.match(known, '^(%S+) (%S+)$')
    if sha ~= body_sha then
      return {'OTHER_BODY', id}
    end
    return {'SAME', id}
  end
end

local value = command_id .. ' ' .. body_sha
local inbox_id = call('XADD', KEYS[1], '*', 'c', ARGV[3])
for i = 2, #KEYS do
  call('SET', KEYS[i], value, 'PX', ARGV[i + 2])
end
return {'OK', inbox_id}
