-- last_id: the highest id that a stream ever gave, which outlives its entries; 0-0 if it is not there.
-- The second value is the error of a key that is no stream: return it as the script's answer.
local function last_id(key)
  local info = redis.pcall('XINFO', 'STREAM', key)
  if info.err then
    if redis.call('EXISTS', key) == 1 then
      return nil, info
    end
    return '0-0'
  end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      return info[i + 1]
    end
  end
end
