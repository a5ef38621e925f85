#!lua flags=allow-oom
-- restore: put archived entries back into the log under their original ids.
-- KEYS: lock events inbox
-- ARGV: token expected_last entries...
-- ANSWERS: OK last_id | NOLOCK | GAP last_id
-- PARTS: last_id
--
-- entries: (id, event, cursor or '') each, ascending. OK also if the log ends with the last of them already.
-- If the inbox's last id is below the restored cursor, that id is added and deleted: otherwise commands that a slower
-- clock stamps below the cursor would never be read. (XSETID fails on a missing key and out of memory.)
local call = redis.call
local function id_of(text)
  local major, minor = string.match(text, '^(%d+)%-(%d+)$')
  return tonumber(major), tonumber(minor)
end
local function below(a, b)
  local a_major, a_minor = id_of(a)
  local b_major, b_minor = id_of(b)
  return a_major < b_major or (a_major == b_major and a_minor < b_minor)
end

if call('GET', KEYS[1]) ~= ARGV[1] then
  return {'NOLOCK'}
end
local last, failed = last_id(KEYS[2])
if failed then
  return failed
end
local final = ARGV[#ARGV - 2]
if last == final then
  return {'OK', last}
end
if last ~= ARGV[2] then
  return {'GAP', last}
end
local before, cursor = last, nil
for at = 3, #ARGV, 3 do
  if not below(before, ARGV[at]) then
    return redis.error_reply('ERR entries to restore must ascend: ' .. ARGV[at] .. ' after ' .. before)
  end
  before = ARGV[at]
  if ARGV[at + 2] ~= '' then
    cursor = string.match(ARGV[at + 2], '^[^/]+')
  end
end
local inbox_last, inbox_failed = last_id(KEYS[3])
if inbox_failed then
  return inbox_failed
end

for at = 3, #ARGV, 3 do
  if ARGV[at + 2] == '' then
    call('XADD', KEYS[2], ARGV[at], 'e', ARGV[at + 1])
  else
    call('XADD', KEYS[2], ARGV[at], 'e', ARGV[at + 1], 'c', ARGV[at + 2])
  end
end
if cursor and below(inbox_last, cursor) then
  call('XADD', KEYS[3], cursor, 'c', '')
  call('XDEL', KEYS[3], cursor)
end
return {'OK', final}
