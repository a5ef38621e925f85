#!lua flags=allow-oom
-- set_aside: move a log that parted from its archive to a key of its own, so that none of it is destroyed.
-- KEYS: lock events aside
-- ARGV: token expected_last
-- ANSWERS: OK last_id | NOLOCK | GAP last_id | TAKEN
-- PARTS: last_id
--
-- OK also if it was moved there already: the answer to an earlier sending was lost. TAKEN: another stream is there.
local call = redis.call

if call('GET', KEYS[1]) ~= ARGV[1] then
  return {'NOLOCK'}
end
local last, failed = last_id(KEYS[2])
if failed then
  return failed
end
local aside, aside_failed = last_id(KEYS[3])
if aside_failed then
  return aside_failed
end
if last == '0-0' and aside == ARGV[2] and aside ~= '0-0' then
  return {'OK', aside}
end
if last ~= ARGV[2] or last == '0-0' then
  return {'GAP', last}
end
if call('EXISTS', KEYS[3]) == 1 then
  return {'TAKEN'}
end
call('RENAMENX', KEYS[2], KEYS[3])
return {'OK', last}
