import { PACE_RULES } from "./pace-rules.js";

/**
 * The pace of one account and model in Redis: one step of `worker/pace-arithmetic.ts`, by Redis' own clock.
 *
 * KEYS: the hash that holds the state. ARGV: now in milliseconds ("" for the clock, a test's otherwise),
 * requests per second, tokens per second, start per second, settled tokens, mean tokens, throttle cause
 * ("" for none), its generation, its retry-after, number of seen calls, then pairs of age and count, then
 * the tokens of each wanted call.
 * Returns controlled, generation, cool-down, throttled for, request rate, token rate, given, waits.
 *
 * Times are floating milliseconds and kept with all digits: a slot may be a fraction of one.
 */
export const PACE_SCRIPT = `
local R = cjson.decode('${JSON.stringify(PACE_RULES)}')
local key = KEYS[1]
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
end
local give = { r = tonumber(ARGV[2]), t = tonumber(ARGV[3]) }
local startPerSecond, settled, meanTokens = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local cause, causeGeneration, retryAfter = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local seenCount = tonumber(ARGV[10])
local firstWant = 11 + 2 * seenCount
local wants = #ARGV - firstWant + 1

local kept, seen = {}, {}
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do
  local second = string.match(flat[i], '^at:(%d+)$')
  if second then seen[tonumber(second)] = tonumber(flat[i + 1]) else kept[flat[i]] = flat[i + 1] end
end
local function number(name) return tonumber(kept[name] or '0') end
local S = {
  generation = number('generation'), coolUntil = number('coolUntil'), strikes = number('strikes'),
  chainFrom = number('chainFrom'), eventAt = number('eventAt'), eventRate = number('eventRate'),
  isMeasured = number('isMeasured'), refused = number('refused'), refusedAt = number('refusedAt'),
  activeFrom = number('activeFrom'), lastAt = number('lastAt'),
}
local eventCause = kept['eventCause'] or 'requests'
local function dimension(name)
  local d = { mode = kept[name .. ':mode'] or 'none' }
  for _, f in ipairs({ 'tail', 'given', 'givenUntil', 'level', 'from', 'hold', 'growth', 'cut', 'boundAt' }) do
    d[f] = number(name .. ':' .. f)
  end
  return d
end
local r, t = dimension('r'), dimension('t')
local touched = {}

local function learned(d, seconds)
  if d.mode == 'ramp' then return d.level * d.growth ^ math.min(seconds, 100) end
  local recovered = d.level * d.cut * d.growth ^ math.min(seconds, 100)
  local probing = math.min(math.max(0, seconds - d.hold), 300)
  local beyond = math.exp(R.probe * probing + R.probeFaster * probing * probing)
  return math.min(recovered, d.level * R.headroom * beyond)
end
local function givenRate(d)
  if d.givenUntil > now then return d.given * R.headroom end
  return 0
end
local function rateOf(d)
  local given = givenRate(d)
  if d.mode == 'none' then return given end
  local rate = learned(d, math.max(0, now - d.from) / 1000)
  if given > 0 then return math.min(given, rate) end
  return rate
end
local function giveLimit(d, perSecond)
  if perSecond <= 0 or (d.givenUntil > now and d.given < perSecond) then return end
  d.given = perSecond
  d.givenUntil = now + R.givenTtlMs
end
local function note(at, count)
  local second = math.floor(at / 1000)
  seen[second] = math.max(0, (seen[second] or 0) + count)
  touched[second] = true
end
local function dimensionOf(which) if which == 'tokens' then return t end return r end
local function peakSecond()
  local second, peak = math.floor(S.eventAt / 1000), 0
  for back = 0, 2 do peak = math.max(peak, seen[second - back] or 0) end
  return peak
end
local function meanOfMinute()
  local second, sum = math.floor(now / 1000), 0
  for at, count in pairs(seen) do
    if at > second - R.memorySeconds and at <= second then sum = sum + count end
  end
  return sum / math.min(R.memorySeconds, math.max(1, (now - S.activeFrom) / 1000))
end
local function measuredLevel()
  local unit = 1
  if eventCause == 'tokens' then unit = meanTokens end
  local level = math.max(R.leastLevel, peakSecond()) * unit
  if S.eventRate > 0 then level = math.min(S.eventRate, math.max(level, S.eventRate * 0.5)) end
  if eventCause == 'burst' then level = math.max(R.leastRamp, level * R.cut) end
  return level
end
local function measureAgain()
  if S.isMeasured == 0 or now - S.eventAt > R.pauseMs then return end
  dimensionOf(eventCause).level = measuredLevel()
end
local function pauseUntil(at)
  S.coolUntil = at
  dimensionOf(eventCause).from = at
end
local function corrected(known, isSmall)
  local unit, rate = 1, S.eventRate
  if eventCause == 'tokens' then unit = meanTokens end
  local mean, least = meanOfMinute() * unit, R.leastLevel * unit
  if rate > known then return math.min(rate, math.max(known, mean)) end
  if rate >= known * R.nearLevel then
    return math.max(least, math.min(known, math.max(mean, known * (isSmall and R.smallCorrection or R.correction))))
  end
  local lower = known * R.fall
  if now - S.chainFrom < R.memorySeconds * 1000 then lower = mean end
  return math.max(least, math.min(known, lower))
end
local function isStray(count)
  S.refused = S.refused * math.exp(-(now - S.refusedAt) / (R.straySeconds * 1000)) + math.max(1, count)
  S.refusedAt = now
  local second, calls = math.floor(now / 1000), 0
  for at, started in pairs(seen) do
    if at > second - R.straySeconds and at <= second then calls = calls + started end
  end
  return retryAfter == 0 and S.refused <= calls * R.stray
end
local function throttle()
  local asked = math.min(retryAfter, R.maxRetryAfterMs)
  if causeGeneration < S.generation then
    if now + asked > S.coolUntil then pauseUntil(now + asked) end
    measureAgain()
    return
  end
  if cause == 'requests' and r.mode == 'ramp' and r.growth == R.rampGrowth and r.givenUntil > now then
    cause = 'burst'
  end
  local d = dimensionOf(cause)
  local known, hold, rate = 0, d.hold, rateOf(d)
  if d.mode == 'level' then known = d.level elseif d.mode == 'none' then known = rate end
  local wasWell = known > 0 and rate >= known * R.nearLevel
  local isSmall = wasWell and cause ~= 'burst' and now - S.coolUntil > R.heldMs
  local isChain = S.strikes > 0 and now < S.coolUntil + R.chainMs and not wasWell
  if isChain then S.strikes = S.strikes + 1 else S.strikes = 1; S.chainFrom = now end
  S.generation = S.generation + 1
  local isMeasured = cause == 'burst' or known == 0
  S.eventAt, eventCause, S.eventRate = now, cause, rate
  S.isMeasured = isMeasured and 1 or 0
  d.mode, d.growth, d.cut = 'level', R.recovery, isSmall and R.smallCut or R.cut
  if cause == 'burst' then d.mode, d.growth = 'ramp', R.burstGrowth end
  d.hold = R.holdSeconds
  if known > 0 and rate > known then d.hold = math.min(R.maxHoldSeconds, hold * 2) end
  if isMeasured then d.level = measuredLevel() else d.level = corrected(known, isSmall) end
  d.boundAt = now
  local pause = math.min(R.maxPauseMs, (isSmall and R.smallPauseMs or R.pauseMs) * 2 ^ math.min(S.strikes - 1, 10))
  r.tail, t.tail = 0, 0
  pauseUntil(now + math.max(pause, asked))
end
local function startRamp()
  if startPerSecond <= 0 or r.mode ~= 'none' then return end
  local given = rateOf(r)
  local start = math.max(startPerSecond, given * R.rampStart)
  if given > 0 and start >= given then return end
  r.mode, r.level, r.growth, r.from, r.boundAt = 'ramp', start, R.rampGrowth, now, now
end
local function endRamp()
  if r.mode ~= 'ramp' or now < r.from then return end
  local given = givenRate(r)
  local isReached = given > 0 and learned(r, (now - r.from) / 1000) >= given
  if isReached or now - math.max(r.boundAt, r.from, r.tail) > R.rampEndMs then r.mode = 'none' end
end
local function freezeProbe(d)
  if d.mode ~= 'level' or now - d.boundAt < 1000 then return end
  local beyond = now - d.from - d.hold * 1000
  if beyond > 0 then d.from = d.from + math.min(now - S.lastAt, beyond) end
end

if now - S.lastAt > R.memorySeconds * 1000 then S.activeFrom = now end
giveLimit(r, give.r)
giveLimit(t, give.t)
local refusedNow = 0
for i = 0, seenCount - 1 do
  local count = tonumber(ARGV[12 + 2 * i])
  note(now - tonumber(ARGV[11 + 2 * i]), count)
  refusedNow = refusedNow + math.max(0, -count)
end
if cause ~= '' and not isStray(refusedNow) then throttle() elseif seenCount > 0 then measureAgain() end
if now - S.lastAt > R.idleMs and wants > 0 then startRamp() end
endRamp()
freezeProbe(r)
freezeProbe(t)
local requestRate, tokenRate = rateOf(r), rateOf(t)
if tokenRate > 0 then t.tail = t.tail + settled * 1000 / tokenRate end
if wants > 0 or seenCount > 0 then S.lastAt = now end
local controlled = requestRate > 0 or tokenRate > 0 or S.coolUntil > now

local waits = {}
if controlled then
  local spacing = 0
  if requestRate > 0 then spacing = 1000 / requestRate end
  for i = 1, wants do
    local start = math.max(now, S.coolUntil)
    if requestRate > 0 then
      local free = r.tail - math.max(0, R.creditMs - spacing)
      if free > now + R.bindingMs then r.boundAt = now end
      start = math.max(start, free)
    end
    if tokenRate > 0 then
      local free = t.tail - R.creditMs
      if free > now + R.bindingMs then t.boundAt = now end
      start = math.max(start, free)
    end
    if requestRate > 0 then r.tail = math.max(start, r.tail) + spacing end
    if tokenRate > 0 then
      t.tail = math.max(start, t.tail) + tonumber(ARGV[firstWant + i - 1]) * 1000 / tokenRate
    end
    note(start, 1)
    waits[i] = math.floor(start - now)
  end
end

local out = {}
local function put(name, value)
  out[#out + 1] = name
  if type(value) == 'number' then value = string.format('%.17g', value) end
  out[#out + 1] = value
end
for name, value in pairs(S) do put(name, value) end
put('eventCause', eventCause)
for name, d in pairs({ r = r, t = t }) do
  for field, value in pairs(d) do put(name .. ':' .. field, value) end
end
local oldest, stale = math.floor(now / 1000) - R.memorySeconds - 5, {}
for second, _ in pairs(touched) do put('at:' .. string.format('%d', second), seen[second]) end
for second, _ in pairs(seen) do
  if second < oldest then stale[#stale + 1] = 'at:' .. string.format('%d', second) end
end
redis.call('HSET', key, unpack(out))
if #stale > 0 then redis.call('HDEL', key, unpack(stale)) end
redis.call('PEXPIRE', key, R.forgetMs)

local function isGiven(d, rate) return rate > 0 and d.givenUntil > now and rate >= givenRate(d) end
local throttledFor = 0
if S.strikes > 0 and now < S.coolUntil + R.chainMs then
  throttledFor = math.max(1, math.floor(now - S.chainFrom))
end
return {
  controlled and 1 or 0, S.generation, math.max(0, math.ceil(S.coolUntil - now)), throttledFor,
  string.format('%.17g', requestRate), string.format('%.17g', tokenRate),
  (isGiven(r, requestRate) or isGiven(t, tokenRate)) and 1 or 0, waits,
}`;
