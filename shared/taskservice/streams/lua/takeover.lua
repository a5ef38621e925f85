#!lua flags=allow-oom
-- takeover: write EpochStarted, after which every older epoch is refused.
-- KEYS: lock events
-- ARGV: token epoch expected_last event cursor
-- ANSWERS: OK entry_id | NOLOCK | STALE last_id | MOVED last_id
--
-- OK also if the last entry is this very EpochStarted: the answer to an earlier sending was lost.
local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then
  return {'NOLOCK'}
end
local last, last_entry = '0-0', false
local info = redis.pcall('XINFO', 'STREAM', KEYS[2])
if info.err then
  if call('EXISTS', KEYS[2]) == 1 then
    return info
  end
else
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      last = info[i + 1]
    elseif info[i] == 'last-entry' then
      last_entry = info[i + 1]
    end
  end
end
local mine = ARGV[2] .. '-' .. string.format('%.0f', tonumber(string.match(ARGV[3], '%-(%d+)$')) + 1)
if last == mine and last_entry and last_entry[1] == mine and last_entry[2][2] == ARGV[4] then
  return {'OK', mine}
end
if tonumber(ARGV[2]) <= tonumber(string.match(last, '^(%d+)')) then
  return {'STALE', last}
end
if last ~= ARGV[3] then
  return {'MOVED', last}
end
call('XADD', KEYS[2], mine, 'e', ARGV[4], 'c', ARGV[5])
return {'OK', mine}
