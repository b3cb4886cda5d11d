/**
 * The hub's steps on Redis, one script each. `memory-hub.ts` of the protocol says what they mean.
 *
 * Keys of a run, all below `promptmill:<identity>:` (KEYS[1]):
 * - `run`: hash of `fence` (JSON) and its `number`, `step` (see takesStep), and for each worker `share:`, `calls:` (under way),
 *   `acked:` (number of its last acknowledged line) and `joined:` (see takesStep)
 * - `live`, `withdrawn`: sets of lease numbers, and of row indexes
 * - `beats`: hash of worker to JSON
 * - `outbox:<worker>`: list; its first line has the number `acked:` + 1
 * - `outboxes`: set of the workers whose outbox is not empty
 *
 * A script without `allow-oom` is refused as a whole while memory is full: nothing starts. Acknowledging, dropping and
 * signs of life go on, so that memory becomes free again.
 */

/** Keys that nobody has touched for so long vanish. `run` and `outboxes` last a day longer: outboxes are numbered by them. */
const LIFETIME_S = 30 * 24 * 60 * 60;
const LONGER_S = LIFETIME_S + 24 * 60 * 60;

const NAMES = `
local P = KEYS[1]
local RUN, LIVE, WITHDRAWN = P .. 'run', P .. 'live', P .. 'withdrawn'
local BEATS, OUTBOXES = P .. 'beats', P .. 'outboxes'
local function keep(key) redis.call('EXPIRE', key, '${LIFETIME_S}', 'NX') end
`;

/** Which server process runs this: asked each time, since a restored copy would bring along whatever was stored. 3 µs. */
const SERVER = `
local function isServer(id)
  return string.find(redis.call('INFO', 'server'), 'run_id:' .. id .. '\\r\\n', 1, true) ~= nil
end
local function serverId()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end
local function isHolder(fence, server)
  return redis.call('HGET', RUN, 'fence') == fence and isServer(server)
end
`;

/**
 * A command that its sender has given up may still arrive, after later ones of the same sender on another connection. Those
 * that would undo something then are numbered in the order of sending, and a number below the last one is refused.
 */
const STEPS = `
local function takesStep(field, step)
  local last = redis.call('HGET', RUN, field)
  if last and tonumber(step) <= tonumber(last) then return false end
  redis.call('HSET', RUN, field, step)
  return true
end
`;

/** ARGV[first..last] in portions that fit Lua's stack. */
const PORTIONS = `
local function portions(command, key, first, last)
  for at = first, last, 1000 do
    redis.call(command, key, unpack(ARGV, at, math.min(at + 999, last)))
  end
end
`;

/**
 * Of all that write lines: ARGV is worker, number of the first line, sum of the changes of calls, each of them ("1,-1"), what the
 * script needs beside, then the lines.
 */
const OUTBOX = `
local worker, from = ARGV[1], tonumber(ARGV[2])
local OUTBOX = P .. 'outbox:' .. worker
local function compare(acked, length)
  local known, change = acked + length + 1 - from, tonumber(ARGV[3])
  if known > 0 then
    local at = 0
    change = 0
    for each in string.gmatch(ARGV[4], '[^,]+') do
      at = at + 1
      if at > known then change = change + tonumber(each) end
    end
  end
  return known, change
end
local function push(first, length)
  if first > #ARGV then return end
  portions('RPUSH', OUTBOX, first, #ARGV)
  if length > 0 then return end
  redis.call('SADD', OUTBOXES, worker)
  redis.call('EXPIRE', OUTBOX, '${LIFETIME_S}')
  redis.call('EXPIRE', OUTBOXES, '${LONGER_S}')
  if redis.call('TTL', RUN) < ${LIFETIME_S} then redis.call('EXPIRE', RUN, '${LONGER_S}') end
end
local function append(first, length, known, change)
  if change ~= 0 then redis.call('HINCRBY', RUN, 'calls:' .. worker, change) end
  push(first + known, length)
end
`;

const claim = `#!lua flags=allow-oom
${NAMES}${SERVER}
local fence, server, number = ARGV[1], ARGV[2], ARGV[3]
local current = redis.call('HGET', RUN, 'number')
if not isServer(server) or (current and tonumber(current) >= tonumber(number)) then
  return tonumber(current or '0')
end
for _, field in ipairs(redis.call('HKEYS', RUN)) do
  if string.find(field, '^share:') or string.find(field, '^calls:') then redis.call('HDEL', RUN, field) end
end
redis.call('HDEL', RUN, 'step')
redis.call('DEL', LIVE, WITHDRAWN)
redis.call('HSET', RUN, 'fence', fence, 'number', number)
redis.call('EXPIRE', RUN, '${LONGER_S}')
return 'claimed'`;

/** ARGV[1]: 1 to let the keys live on. */
const look = `#!lua flags=allow-oom
${NAMES}${SERVER}
if ARGV[1] == '1' then
  redis.call('EXPIRE', RUN, '${LONGER_S}')
  redis.call('EXPIRE', OUTBOXES, '${LONGER_S}')
  for _, key in ipairs({ LIVE, WITHDRAWN, BEATS }) do redis.call('EXPIRE', key, '${LIFETIME_S}') end
  for _, worker in ipairs(redis.call('SMEMBERS', OUTBOXES)) do
    redis.call('EXPIRE', P .. 'outbox:' .. worker, '${LIFETIME_S}')
  end
end
return { serverId(), redis.call('HGET', RUN, 'fence'), redis.call('HGETALL', BEATS) }`;

/** ARGV from 3 on: worker, number, worker, number … */
const acknowledge = `#!lua flags=allow-oom
${NAMES}${SERVER}
if not isHolder(ARGV[1], ARGV[2]) then return 'refused' end
for at = 3, #ARGV, 2 do
  local worker = ARGV[at]
  local outbox = P .. 'outbox:' .. worker
  local acked = tonumber(redis.call('HGET', RUN, 'acked:' .. worker) or '0')
  local length = redis.call('LLEN', outbox)
  local lines = math.min(ARGV[at + 1] - acked, length)
  if lines > 0 then
    redis.call('LTRIM', outbox, lines, -1)
    redis.call('HINCRBY', RUN, 'acked:' .. worker, lines)
    if lines == length then redis.call('SREM', OUTBOXES, worker) end
  end
end
return 'done'`;

/** ARGV: fence, server, step, how many leases are made live, these, ended ones. */
const makeLive = `#!lua
${NAMES}${SERVER}${STEPS}${PORTIONS}
if not isHolder(ARGV[1], ARGV[2]) then return 'refused' end
if not takesStep('step', ARGV[3]) then return 'overtaken' end
local last = 4 + ARGV[4]
portions('SADD', LIVE, 5, last)
portions('SREM', LIVE, last + 1, #ARGV)
keep(LIVE)
return 'done'`;

/** ARGV: fence, server, step, how many leases, these, workers. */
const drop = `#!lua flags=allow-oom
${NAMES}${SERVER}${STEPS}${PORTIONS}
if not isHolder(ARGV[1], ARGV[2]) then return 'refused' end
if not takesStep('step', ARGV[3]) then return 'overtaken' end
local last = 4 + ARGV[4]
portions('SREM', LIVE, 5, last)
local calls = {}
for at = last + 1, #ARGV do
  local worker = ARGV[at]
  redis.call('HDEL', RUN, 'share:' .. worker)
  redis.call('HDEL', BEATS, worker)
  calls[#calls + 1] = tonumber(redis.call('HGET', RUN, 'calls:' .. worker) or '0')
end
return calls`;

/** ARGV: fence, server, step, then worker, share, worker, share … */
const share = `#!lua flags=allow-oom
${NAMES}${SERVER}${STEPS}
if not isHolder(ARGV[1], ARGV[2]) then return 'refused' end
if not takesStep('step', ARGV[3]) then return 'overtaken' end
local calls = {}
for at = 4, #ARGV, 2 do
  redis.call('HSET', RUN, 'share:' .. ARGV[at], ARGV[at + 1])
  calls[#calls + 1] = tonumber(redis.call('HGET', RUN, 'calls:' .. ARGV[at]) or '0')
end
return calls`;

const withdraw = `#!lua flags=allow-oom
${NAMES}${SERVER}${PORTIONS}
if not isHolder(ARGV[1], ARGV[2]) then return 'refused' end
portions('SADD', WITHDRAWN, 3, #ARGV)
keep(WITHDRAWN)
return 'done'`;

const destroy = `#!lua flags=allow-oom
${NAMES}
for _, worker in ipairs(redis.call('SMEMBERS', OUTBOXES)) do redis.call('UNLINK', P .. 'outbox:' .. worker) end
redis.call('UNLINK', RUN, LIVE, WITHDRAWN, BEATS, OUTBOXES)`;

const beat = `#!lua flags=allow-oom
${NAMES}${SERVER}
local worker = ARGV[1]
redis.call('HSET', BEATS, worker, ARGV[2])
keep(BEATS)
local at = redis.call('HMGET', RUN, 'fence', 'share:' .. worker, 'acked:' .. worker)
return { serverId(), at[1], tonumber(at[2] or '0'), tonumber(at[3] or '0') }`;

const leave = `#!lua flags=allow-oom
${NAMES}
redis.call('HDEL', RUN, 'share:' .. ARGV[1])
redis.call('HDEL', BEATS, ARGV[1])`;

/** ARGV[3]: calls under way. ARGV[5..7]: fence, server, step. */
const join = `#!lua
${NAMES}${SERVER}${STEPS}${PORTIONS}${OUTBOX}
if not isHolder(ARGV[5], ARGV[6]) then return 'refused' end
if not takesStep('joined:' .. worker, ARGV[7]) then return 'overtaken' end
redis.call('DEL', OUTBOX)
redis.call('SREM', OUTBOXES, worker)
redis.call('HSET', RUN, 'acked:' .. worker, from - 1, 'calls:' .. worker, ARGV[3])
push(8, 0)
return 'done'`;

/** ARGV[5]: server. */
const append = `#!lua
${NAMES}${SERVER}${PORTIONS}${OUTBOX}
if not isServer(ARGV[5]) then return 'refused' end
local length = redis.call('LLEN', OUTBOX)
local known, change = compare(tonumber(redis.call('HGET', RUN, 'acked:' .. worker) or '0'), length)
if known < 0 then return 'refused' end
append(6, length, known, change)
return 'done'`;

/** ARGV[5..8]: fence, server, how many leases, how many rows; then these. */
const start = `#!lua
${NAMES}${SERVER}${PORTIONS}${OUTBOX}
local function members(key, first, last)
  local found = {}
  for at = first, last, 1000 do
    local is = redis.call('SMISMEMBER', key, unpack(ARGV, at, math.min(at + 999, last)))
    for i = 1, #is do
      if is[i] == 1 then found[#found + 1] = ARGV[at + i - 1] end
    end
  end
  return found
end
local at = redis.call('HMGET', RUN, 'fence', 'acked:' .. worker, 'share:' .. worker, 'calls:' .. worker)
if at[1] ~= ARGV[5] or not isServer(ARGV[6]) then return 'stale' end
local leases, rows = 8 + ARGV[7], 8 + ARGV[7] + ARGV[8]
if #members(LIVE, 9, leases) < tonumber(ARGV[7]) then return 'stale' end
if redis.call('EXISTS', WITHDRAWN) == 1 then
  local found = members(WITHDRAWN, leases + 1, rows)
  if #found > 0 then return found end
end
local length = redis.call('LLEN', OUTBOX)
local known, change = compare(tonumber(at[2] or '0'), length)
if known < 0 then return 'stale' end
if tonumber(at[4] or '0') + change > tonumber(at[3] or '0') then return 'share' end
append(rows + 1, length, known, change)
return 'granted'`;

export const HUB_SCRIPTS = {
  claim,
  look,
  acknowledge,
  makeLive,
  drop,
  share,
  withdraw,
  destroy,
  beat,
  leave,
  join,
  append,
  start,
} as const;

export type HubScript = keyof typeof HUB_SCRIPTS;
