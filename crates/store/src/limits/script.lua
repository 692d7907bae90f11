-- Rate limits: takes of every tier or of none, or makes what was taken into what was used. One key holds the
-- state of one tier's rules for one name. Every number is whole and below 2^53, so that doubles are exact.
--
-- ARGV: 0 to take, 1 to shift · seconds, or -1 for the clock of Redis · nanoseconds beside them · when it was
-- taken (shift; microseconds). Then for each key how many rules it has, and for each rule
--   0                                 nothing passes (take)
--   0, slot                           nothing to do (shift); microseconds, 0 if it is no window
--   1, cost, reach                    a bucket, take: nanoseconds
--   1, more                           a bucket, shift: nanoseconds, below 0 to give back
--   2, amount, capacity, slot         a window, take: units, units, microseconds
--   2, more, slot                     a window, shift
-- Reply to a take: 1 if granted · now in microseconds · for each rule that is not 0
--   nanoseconds until the bucket is full; or: units that count, microseconds until none does, and until the
--   call could pass (-1: never).
--
-- A key's state is { second, cell of the first rule, … }. A bucket's cell is the moment at which it will be full,
-- in nanoseconds since that second. A window's is { sum, slot, count, slot, count, … }, the oldest slot first.
local E9, SLOTS, FAR = 1000000000, 60, 9007190000000000
local floor, ceil, max, min, tonumber = math.floor, math.ceil, math.max, math.min, tonumber
local ARGV, KEYS = ARGV, KEYS

local argument = 0
local function number()
  argument = argument + 1
  return tonumber(ARGV[argument])
end

local shift = number() == 1
local seconds, nanos, taken = number(), number(), number()
-- Keys expire by the clock of Redis: where another one counts (tests), not too early.
local least = 600000
if seconds < 0 then
  least = 1
  local time = redis.call('TIME')
  seconds, nanos = tonumber(time[1]), tonumber(time[2]) * 1000
end
local now = seconds * 1000000 + floor(nanos / 1000)

local function load(key)
  local raw = redis.call('GET', key)
  return raw and cmsgpack.unpack(raw) or { seconds }
end

-- Keeps the state for as long as it says anything (microseconds). Every cell has been set anew.
local function save(key, state, busy)
  if busy <= 0 then
    redis.call('DEL', key)
    return
  end
  state[1] = seconds
  redis.call('SET', key, cmsgpack.pack(state), 'PX', string.format('%.0f', max(least, ceil(busy / 1000))))
end

-- Nanoseconds until a bucket is full.
local function ahead(state, i)
  local full = state[i + 1]
  if not full then return 0 end
  return max(0, (state[1] - seconds) * E9 + full - nanos)
end

local function fill(state, i, more)
  state[i + 1] = nanos + min(more, FAR)
  return ceil(more / 1000)
end

-- A window without what counts no more, and the current slot.
local function window(state, i, slot)
  local cell, current = state[i + 1], floor(now / slot)
  if not cell then return { 0 }, current end
  local size = #cell
  if size > 1 then current = max(current, cell[size - 1]) end
  local oldest = current - SLOTS
  if size == 1 or cell[2] >= oldest then return cell, current end
  local kept, sum = { 0 }, 0
  for j = 2, size, 2 do
    if cell[j] >= oldest then
      kept[#kept + 1] = cell[j]
      kept[#kept + 1] = cell[j + 1]
      sum = sum + cell[j + 1]
    end
  end
  kept[1] = sum
  return kept, current
end

local function add(cell, current, more)
  if more <= 0 then return end
  local size = #cell
  cell[1] = cell[1] + more
  if size > 1 and cell[size - 1] == current then
    cell[size] = cell[size] + more
  else
    cell[size + 1], cell[size + 2] = current, more
  end
end

-- Microseconds until a slot counts no more.
local function leaves(at, slot)
  return max(0, (at + SLOTS + 1) * slot - now)
end

-- Microseconds until a window's state says nothing.
local function reset(cell, slot)
  for j = #cell, 3, -2 do
    if cell[j] > 0 then return leaves(cell[j - 1], slot) end
  end
  return 0
end

-- Gives back what was taken in the slot `first`: of that slot, or of the one after if the clock had been set
-- back. No stranger's units.
local function give_back(cell, first, owed)
  for j = 2, #cell, 2 do
    if owed > 0 and (cell[j] == first or cell[j] == first + 1) then
      local back = min(owed, cell[j + 1])
      cell[j + 1], cell[1], owed = cell[j + 1] - back, cell[1] - back, owed - back
    end
  end
end

if shift then
  for k = 1, #KEYS do
    local state, busy = load(KEYS[k]), 0
    for i = 1, number() do
      local kind, more, slot = number(), 0, nil
      if kind > 0 then more = number() end
      if kind ~= 1 then slot = number() end
      if kind == 2 or (kind == 0 and slot > 0) then
        local cell, current = window(state, i, slot)
        if more < 0 then give_back(cell, floor(taken / slot), -more) end
        add(cell, current, more)
        state[i + 1] = cell
        busy = max(busy, reset(cell, slot))
      else
        busy = max(busy, fill(state, i, max(0, ahead(state, i) + more)))
      end
    end
    save(KEYS[k], state, busy)
  end
  return 1
end

local granted, states, rules = true, {}, {}
for k = 1, #KEYS do
  local state = load(KEYS[k])
  states[k] = state
  for i = 1, number() do
    local kind = number()
    if kind == 0 then
      granted = false
      rules[#rules + 1] = { 0, k, i }
    elseif kind == 1 then
      local cost, reach, before = number(), number(), ahead(state, i)
      if before + cost > reach then granted = false end
      rules[#rules + 1] = { 1, k, i, before, cost }
    else
      local amount, capacity, slot, wait = number(), number(), number(), 0
      local cell, current = window(state, i, slot)
      if cell[1] + amount > capacity then
        granted, wait = false, -1
        local left = cell[1]
        for j = 2, #cell, 2 do
          left = left - cell[j + 1]
          if left + amount <= capacity then
            wait = leaves(cell[j], slot)
            break
          end
        end
      end
      rules[#rules + 1] = { 2, k, i, cell, current, amount, slot, wait }
    end
  end
end

local reply, busy = { granted and 1 or 0, now }, {}
for _, rule in ipairs(rules) do
  local kind, k, i = rule[1], rule[2], rule[3]
  if kind == 1 then
    local after = rule[4]
    if granted then
      after = after + rule[5]
      busy[k] = max(busy[k] or 0, fill(states[k], i, after))
    end
    reply[#reply + 1] = after
  elseif kind == 2 then
    local cell, slot = rule[4], rule[7]
    if granted then add(cell, rule[5], rule[6]) end
    local until_reset = reset(cell, slot)
    if granted then
      states[k][i + 1] = cell
      busy[k] = max(busy[k] or 0, until_reset)
    end
    reply[#reply + 1] = cell[1]
    reply[#reply + 1] = until_reset
    reply[#reply + 1] = rule[8]
  end
end
if granted then
  for k = 1, #KEYS do
    save(KEYS[k], states[k], busy[k] or 0)
  end
end
return reply
