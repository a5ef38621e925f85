#!lua flags=allow-oom
-- append: add decided events and all that goes with them, or nothing at all.
-- KEYS: events inbox streams control workers dispatch...
-- ARGV: epoch expected_last cursor trim_inbox_to control_maxlen n_events n_new n_removed n_dispatches n_revocations n_workers n_consumers items...
-- ANSWERS: OK last_id kept... | DUP last_id | FENCED last_id | GAP last_id | NOGROUP dispatch_index
--
-- items, in this order: events (payload) · new streams (dispatch index, suffix, registry json) · removed streams
-- (dispatch index, suffix) · dispatches (dispatch index, position, payload) · revocations (dispatch index, suffix,
-- entry id, mode, report json, signal json or '') · removed workers (id) · removed consumers (dispatch index, worker).
-- A dispatch index counts from 1 among the dispatch keys. trim_inbox_to '' = leave the inbox.
--
-- Lua has no rollback: everything that could fail is looked at before the first write.
local call, pcall = redis.call, redis.pcall
local fmt, match = string.format, string.match
local epoch, expected, cursor = ARGV[1], ARGV[2], ARGV[3]
local n_events, n_new, n_removed = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local n_dispatches, n_revocations = tonumber(ARGV[9]), tonumber(ARGV[10])
local n_workers, n_consumers = tonumber(ARGV[11]), tonumber(ARGV[12])
local FIRST_DISPATCH = 5

local events_at = 13
local new_at = events_at + n_events
local removed_at = new_at + 3 * n_new
local dispatches_at = removed_at + 2 * n_removed
local revocations_at = dispatches_at + 3 * n_dispatches
local workers_at = revocations_at + 6 * n_revocations
local consumers_at = workers_at + n_workers

-- XINFO's fields move between versions of Redis, so they are looked up by name.
local function field(info, name)
  for i = 1, #info, 2 do
    if info[i] == name then
      return info[i + 1]
    end
  end
end

local function expect_type(key, wanted)
  local kind = call('TYPE', key).ok
  if kind ~= wanted and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. kind .. ', not a ' .. wanted)
  end
end

-- 1. Where the log ends.
local info = pcall('XINFO', 'STREAM', KEYS[1])
local last = '0-0'
if info.err then
  local wrong = expect_type(KEYS[1], 'stream')
  if wrong then return wrong end
else
  last = field(info, 'last-generated-id')
end
local my_epoch, first = tonumber(epoch), tonumber(match(expected, '%-(%d+)$')) + 1
local my_last = first + n_events - 1
local last_epoch, last_position = match(last, '^(%d+)%-(%d+)$')
last_epoch, last_position = tonumber(last_epoch), tonumber(last_position)
if last_epoch > my_epoch then
  return {'FENCED', last}
end
if last_epoch == my_epoch and last_position >= my_last then
  return {'DUP', last}
end
if last ~= expected then
  return {'GAP', last}
end

-- 2. Every named stream and its group, each looked at once; what is to be made counts as made.
local is_new = {}
for at = new_at, removed_at - 1, 3 do
  is_new[ARGV[at]] = true
end
local tops = {}
local function top_of(index)
  local top = tops[index]
  if top ~= nil then
    return top
  end
  top = false
  local key = KEYS[FIRST_DISPATCH + tonumber(index)]
  local stream = pcall('XINFO', 'STREAM', key)
  if stream.err then
    top = is_new[index] and call('EXISTS', key) == 0 and 0 or false
  else
    local grouped = is_new[index]
    if not grouped and field(stream, 'groups') > 0 then
      for _, group in ipairs(call('XINFO', 'GROUPS', key)) do
        if field(group, 'name') == 'workers' then
          grouped = true
        end
      end
    end
    if grouped then
      local top_epoch, top_position = match(field(stream, 'last-generated-id'), '^(%d+)%-(%d+)$')
      top_epoch = tonumber(top_epoch)
      if top_epoch > my_epoch then
        top = math.huge -- no id of this epoch can be added: as good as gone
      elseif top_epoch == my_epoch then
        top = tonumber(top_position)
      else
        top = 0
      end
    end
  end
  tops[index] = top
  return top
end
for at = new_at, removed_at - 1, 3 do
  if not top_of(ARGV[at]) then
    return redis.error_reply('WRONGTYPE ' .. KEYS[FIRST_DISPATCH + tonumber(ARGV[at])] .. ' is no stream')
  end
end
for at = dispatches_at, revocations_at - 1, 3 do
  local index, position = ARGV[at], tonumber(ARGV[at + 1])
  local top = top_of(index)
  if not top or position <= top then
    return {'NOGROUP', index}
  end
  tops[index] = position
end
for at = revocations_at, workers_at - 1, 6 do
  if not top_of(ARGV[at]) then
    return {'NOGROUP', ARGV[at]}
  end
end
for at = consumers_at, consumers_at + 2 * n_consumers - 1, 2 do
  if not top_of(ARGV[at]) then
    return {'NOGROUP', ARGV[at]}
  end
end
local wrong = expect_type(KEYS[2], 'stream')
for at = removed_at, dispatches_at - 1, 2 do
  wrong = wrong or expect_type(KEYS[FIRST_DISPATCH + tonumber(ARGV[at])], 'stream')
end
for at = revocations_at, workers_at - 1, 6 do
  if not match(ARGV[at + 2], '^%d+%-%d+$') then
    wrong = redis.error_reply('ERR not an entry id: ' .. ARGV[at + 2])
  end
end
if ARGV[4] ~= '' and not match(ARGV[4], '^%d+%-%d+$') then
  wrong = redis.error_reply('ERR not an entry id: ' .. ARGV[4])
end
if not wrong and n_new + n_removed > 0 then
  wrong = expect_type(KEYS[3], 'hash')
end
if not wrong and n_new + n_removed + n_revocations > 0 then
  wrong = expect_type(KEYS[4], 'stream')
end
if not wrong and n_workers > 0 then
  wrong = expect_type(KEYS[5], 'hash')
end
if wrong then
  return wrong
end

-- 3. The events.
for i = 0, n_events - 2 do
  call('XADD', KEYS[1], epoch .. '-' .. fmt('%.0f', first + i), 'e', ARGV[events_at + i])
end
local last_id = epoch .. '-' .. fmt('%.0f', my_last)
call('XADD', KEYS[1], last_id, 'e', ARGV[new_at - 1], 'c', cursor)
local answer = {'OK', last_id}

-- 4. New streams with their groups; removed ones, if nothing is in them, from the registry first.
local registry_changed = false
for at = new_at, removed_at - 1, 3 do
  local made = pcall('XGROUP', 'CREATE', KEYS[FIRST_DISPATCH + tonumber(ARGV[at])], 'workers', '0', 'MKSTREAM')
  if made.err and not match(made.err, 'BUSYGROUP') then
    return made
  end
  call('HSET', KEYS[3], ARGV[at + 1], ARGV[at + 2])
  registry_changed = true
end
for at = removed_at, dispatches_at - 1, 2 do
  local key = KEYS[FIRST_DISPATCH + tonumber(ARGV[at])]
  local pending = pcall('XPENDING', key, 'workers')
  if call('XLEN', key) == 0 and (pending.err or pending[1] == 0) then
    call('HDEL', KEYS[3], ARGV[at + 1])
    call('DEL', key)
    registry_changed = true
  else
    answer[#answer + 1] = ARGV[at + 1]
  end
end
if registry_changed then
  call('HINCRBY', KEYS[3], '#rev', 1)
end

-- 5. What is handed out: the entry's id is the id of the event that dispatched it.
for at = dispatches_at, revocations_at - 1, 3 do
  call('XADD', KEYS[FIRST_DISPATCH + tonumber(ARGV[at])], epoch .. '-' .. ARGV[at + 1], 'd', ARGV[at + 2])
end

-- 6. What is taken back. Whoever takes the entry out puts the report in: here, or `finish`. One that is nowhere any more
-- was ended by `finish`, whose report is in the inbox and comes before this one; or somebody deleted it by hand, and
-- nobody else will ever say a word about it. Not so in mode waiting: what it asks back goes out again, so nobody may
-- have it.
local reports, signals = {}, {}
for at = revocations_at, workers_at - 1, 6 do
  local key, id, mode = KEYS[FIRST_DISPATCH + tonumber(ARGV[at])], ARGV[at + 2], ARGV[at + 3]
  local held = #call('XPENDING', key, 'workers', id, id, 1) > 0
  if mode == 'any' or not held then
    local acked = call('XACK', key, 'workers', id)
    if call('XDEL', key, id) + acked > 0 or mode ~= 'waiting' then
      reports[#reports + 1] = ARGV[at + 4]
    end
  end
  if held and mode ~= 'waiting' and ARGV[at + 5] ~= '' then
    signals[#signals + 1] = at
  end
end
if #reports > 0 then
  call('XADD', KEYS[2], '*', 'r', '[' .. table.concat(reports, ',') .. ']', 'w', '')
end

-- 7. Workers and consumers that are gone.
for at = workers_at, consumers_at - 1 do
  call('HDEL', KEYS[5], ARGV[at])
end
for at = consumers_at, consumers_at + 2 * n_consumers - 1, 2 do
  local key, worker = KEYS[FIRST_DISPATCH + tonumber(ARGV[at])], ARGV[at + 1]
  if #call('XPENDING', key, 'workers', '-', '+', 1, worker) == 0 then
    call('XGROUP', 'DELCONSUMER', key, 'workers', worker) -- with entries pending it would drop them silently
  end
end

-- 8. What workers are told.
if registry_changed then
  call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[5], '*', 't', 'streams')
end
for _, at in ipairs(signals) do
  call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[5], '*', 't', 'cancel', 's', ARGV[at + 1], 'e', ARGV[at + 2], 'j', ARGV[at + 5])
end

-- 9. The inbox, up to a cursor that an earlier append made durable.
if ARGV[4] ~= '' then
  call('XTRIM', KEYS[2], 'MINID', '~', ARGV[4])
end
return answer
