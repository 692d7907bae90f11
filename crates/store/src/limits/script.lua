-- Rate limits: takes of every tier or of none, or makes what was taken into what was used. One key holds the
-- state of one tier's rules for one name. Every number is whole and below 2^53, so that doubles are exact.
--
-- ARGV: 0 to take, 1 to shift · seconds, or -1 for the clock of Redis · nanoseconds beside them · when it was
-- taken (shift; microseconds). Then for each key how many rules it has, and for each rule
--   0                                 nothing passes (take); nothing to do (shift)
--   1, cost, reach                    a bucket, take: nanoseconds
--   1, more                           a bucket, shift: nanoseconds, below 0 to give back
--   2, amount, capacity, slot         a window, take: units, units, microseconds
--   2, more, slot                     a window, shift
-- Reply to a take: 1 if granted · now in microseconds · for each rule that is not 0
--   nanoseconds until the bucket is full; or: units that count, microseconds until none does, and until the
--   call could pass (-1: never).
local E9, SLOTS, FAR = 1000000000, 60, 9007190000000000

local argument = 0
local function number()
  argument = argument + 1
  return tonumber(ARGV[argument])
end

local shift = number() == 1
local seconds, nanos, taken = number(), number(), number()
if seconds < 0 then
  local time = redis.call('TIME')
  seconds, nanos = tonumber(time[1]), tonumber(time[2]) * 1000
end
local now = seconds * 1000000 + math.floor(nanos / 1000)

-- A bucket is { seconds, nanoseconds }: the moment at which it will be full.
local function ahead(cell)
  if not cell or not cell[2] then return 0 end
  return math.max(0, (cell[1] - seconds) * E9 + (cell[2] - nanos))
end

local function full_in(more)
  if more <= 0 then return false end
  local sum = nanos + math.min(more, FAR)
  return { seconds + math.floor(sum / E9), sum % E9 }
end

-- A window is { slot, count, slot, count, … }, the oldest first. Without what counts no more, with the current
-- slot and the sum.
local function window(cell, slot)
  local current, kept, sum = math.floor(now / slot), {}, 0
  if not cell then return kept, current, sum end
  if #cell > 1 then current = math.max(current, cell[#cell - 1]) end
  for i = 1, #cell - 1, 2 do
    if cell[i] + SLOTS >= current and cell[i + 1] > 0 then
      kept[#kept + 1], kept[#kept + 2] = cell[i], cell[i + 1]
      sum = sum + cell[i + 1]
    end
  end
  return kept, current, sum
end

local function leaves(cell, at, slot)
  return math.max(0, (cell[at] + SLOTS + 1) * slot - now)
end

local function add(cell, current, more)
  if more <= 0 then return end
  if #cell > 1 and cell[#cell - 1] == current then
    cell[#cell] = cell[#cell] + more
  else
    cell[#cell + 1], cell[#cell + 2] = current, more
  end
end

-- Until a window's state says nothing, in microseconds.
local function reset(cell, slot)
  if #cell < 2 then return 0 end
  return leaves(cell, #cell - 1, slot)
end

local function load(key)
  local raw = redis.call('GET', key)
  return raw and cmsgpack.unpack(raw) or {}
end

-- Keeps the state for as long as it says anything (microseconds).
local function save(key, state, count, busy)
  if busy <= 0 then
    redis.call('DEL', key)
    return
  end
  for i = 1, count do
    state[i] = state[i] or false
  end
  redis.call('SET', key, cmsgpack.pack(state), 'PX', string.format('%.0f', math.ceil(busy / 1000)))
end

if shift then
  for k = 1, #KEYS do
    local state, count, busy = load(KEYS[k]), number(), 0
    for i = 1, count do
      local kind = number()
      if kind == 1 then
        state[i] = full_in(ahead(state[i]) + number())
        busy = math.max(busy, math.ceil(ahead(state[i]) / 1000))
      elseif kind == 2 then
        local more, slot = number(), number()
        local cell, current = window(state[i], slot)
        local first, owed = math.floor(taken / slot), -more
        for j = 1, #cell - 1, 2 do
          -- The slot itself, or the one after if the clock had been set back: no stranger's units.
          if owed > 0 and (cell[j] == first or cell[j] == first + 1) then
            local back = math.min(owed, cell[j + 1])
            cell[j + 1], owed = cell[j + 1] - back, owed - back
          end
        end
        add(cell, current, more)
        cell = window(cell, slot)
        state[i], busy = cell, math.max(busy, reset(cell, slot))
      elseif state[i] then
        -- Not this rule's business, but its state lies in the same key.
        local slot = number()
        if slot == 0 then
          busy = math.max(busy, math.ceil(ahead(state[i]) / 1000))
        else
          busy = math.max(busy, reset(window(state[i], slot), slot))
        end
      else
        number()
      end
    end
    save(KEYS[k], state, count, busy)
  end
  return 1
end

local granted, tiers = true, {}
for k = 1, #KEYS do
  local state, rules = load(KEYS[k]), {}
  for i = 1, number() do
    local rule = { kind = number() }
    rules[i] = rule
    if rule.kind == 0 then
      granted = false
    elseif rule.kind == 1 then
      local reach
      rule.cost, reach = number(), number()
      rule.ahead = ahead(state[i])
      if rule.ahead + rule.cost > reach then granted = false end
    else
      local capacity
      rule.amount, capacity, rule.slot = number(), number(), number()
      rule.cell, rule.current, rule.sum = window(state[i], rule.slot)
      rule.wait = 0
      if rule.sum + rule.amount > capacity then
        granted, rule.wait = false, -1
        local left = rule.sum
        for j = 1, #rule.cell - 1, 2 do
          left = left - rule.cell[j + 1]
          if left + rule.amount <= capacity then
            rule.wait = leaves(rule.cell, j, rule.slot)
            break
          end
        end
      end
    end
  end
  tiers[k] = { state = state, rules = rules }
end

local reply = { granted and 1 or 0, now }
for k, tier in ipairs(tiers) do
  local busy = 0
  for i, rule in ipairs(tier.rules) do
    if rule.kind == 1 then
      if granted then
        rule.ahead = rule.ahead + rule.cost
        tier.state[i] = full_in(rule.ahead)
        busy = math.max(busy, math.ceil(rule.ahead / 1000))
      end
      reply[#reply + 1] = rule.ahead
    elseif rule.kind == 2 then
      if granted then
        add(rule.cell, rule.current, rule.amount)
        tier.state[i], rule.sum = rule.cell, rule.sum + rule.amount
        busy = math.max(busy, reset(rule.cell, rule.slot))
      end
      reply[#reply + 1] = rule.sum
      reply[#reply + 1] = reset(rule.cell, rule.slot)
      reply[#reply + 1] = rule.wait
    end
  end
  if granted then save(KEYS[k], tier.state, #tier.rules, busy) end
end
return reply
