-- Answers a batch of questions in one step. What each means stands in ledger/ (Rust); the tests ask both the same.
--
-- KEYS[1]  what all names begin with, a hash tag
-- ARGV     time of a lease and grace in ms, the secret's check, the server, and for each question its letter, how many
--          words follow, and these

local prefix = KEYS[1] .. ':'
local lease_ms, grace_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local check, server = ARGV[3], ARGV[4]
local VERSION, LITTER, TURN, DOUBTS, BROKEN_OFF, POSTED = '1', 86400000, 10000, 3, 3, 500

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function text(number) return string.format('%.0f', number) end
local function foreign() error('foreign', 0) end
local function number(word)
  if not word or not string.match(word, '^%d+$') then foreign() end
  return tonumber(word)
end
local function as_lease(word)
  if not word or not string.match(word, '^%x+%.%d+$') then foreign() end
  return word
end

local function get(name) return redis.call('GET', prefix .. name) or nil end
local function set(name, value, span)
  if span and span <= 0 then
    redis.call('DEL', prefix .. name)
  elseif span then
    redis.call('SET', prefix .. name, value, 'PX', text(span))
  else
    redis.call('SET', prefix .. name, value)
  end
end
local function delete(name) redis.call('DEL', prefix .. name) end
local function left(name) return math.max(redis.call('PTTL', prefix .. name), 0) end
local function lives(lease) return redis.call('EXISTS', prefix .. 'lease:' .. lease) == 1 end
local function words(value)
  local list = {}
  for word in string.gmatch(value or '', '%S+') do list[#list + 1] = word end
  return list
end

-- since when the engine knows all: a moment, 'anew', or 'other'
local function born()
  local value = get('born')
  if not value then return 'anew' end
  local list = words(value)
  if list[1] ~= VERSION or not list[2] then foreign() end
  local at = number(list[3])
  if list[2] ~= check then return 'other' end
  if (list[4] or '') ~= server then return 'anew' end
  return at
end
local function grace(at) return math.max(at + grace_ms - now, 0) end
-- how long nothing new is held; nil if this lease may not ask
local function standing(lease)
  local at = born()
  if type(at) ~= 'number' or not lives(lease) then return nil end
  return grace(at)
end
local function nodes()
  local list = words(get('nodes'))
  for _, lease in ipairs(list) do as_lease(lease) end
  return list
end
local function namesake(lease, name)
  local owner = get('name:' .. name)
  if not owner then return nil end
  as_lease(owner)
  local function boot(of) return string.match(of, '^(%x+)') end
  if boot(owner) ~= boot(lease) and lives(owner) then return left('lease:' .. owner) end
  return nil
end
local function fence() return number(get('fence') or '0') end

local function board()
  local list = {}
  for _, word in ipairs(words(get('board'))) do
    local post, account, untl = string.match(word, '^([bw])(%x+)=(%d+)$')
    if not post or #account ~= 32 then foreign() end
    if tonumber(untl) > now then list[#list + 1] = {post = post, account = account, untl = tonumber(untl)} end
  end
  return list
end

local function stand(lease, node, at, other, posted)
  set('lease:' .. lease, node.value, lease_ms)
  if not other then set('name:' .. node.name, lease, lease_ms) end
  local list = {'S', grace(at), other or -1}
  for _, it in ipairs(posted) do
    for _, word in ipairs({it.post, it.account, text(it.untl - now)}) do list[#list + 1] = word end
  end
  return list
end
local function node(words)
  return {name = words[4], value = words[2] .. ' ' .. words[3] .. ' ' .. words[4]}
end

local function hold(maildrop)
  local value = get('hold:' .. maildrop)
  if not value then return nil end
  local list = words(value)
  return {lease = as_lease(list[1]), fence = number(list[3]), is = number(list[2]) and value}
end
local function put_hold(maildrop, ...) set('hold:' .. maildrop, table.concat({...}, ' '), LITTER) end

local function places(account)
  local list = {}
  for _, word in ipairs(words(get('places:' .. account))) do
    local lease, count = string.match(word, '^(%x+%.%d+)=(%d+)$')
    if not lease then foreign() end
    if lives(lease) then list[#list + 1] = {lease = lease, count = tonumber(count)} end
  end
  return list
end
local function put_places(account, list, lease, count)
  local parts = {}
  for _, it in ipairs(list) do
    if it.lease ~= lease then parts[#parts + 1] = it.lease .. '=' .. text(it.count) end
  end
  if count > 0 then parts[#parts + 1] = lease .. '=' .. text(count) end
  if #parts == 0 then return delete('places:' .. account) end
  set('places:' .. account, table.concat(parts, ' '), LITTER)
end
local function read_turn(grant)
  local value = get('refresh:' .. grant)
  if not value then return nil end
  local lease, turn = string.match(value, '^(%x+%.%d+) (%d+)$')
  if not lease then foreign() end
  return {lease = lease, turn = turn}
end

local FIELDS = {'wrong', 'wrong_at', 'doubtful', 'doubtful_at', 'left', 'left_at', 'next', 'turn_until'}
local function failed(digest)
  local it = {turn = '-', sources = {}}
  local value = get('fail:' .. digest)
  local list = words(value)
  for i, field in ipairs(FIELDS) do it[field] = value and number(list[i]) or 0 end
  if not value then return it end
  if list[9] ~= '-' then it.turn = as_lease(list[9]) end
  for i = 10, #list do
    local source, at = string.match(list[i], '^(%x+)@(%d+)$')
    if not source then foreign() end
    it.sources[#it.sources + 1] = {source = source, at = tonumber(at)}
  end
  return it
end
local function write_failed(it)
  local parts = {}
  for _, field in ipairs(FIELDS) do parts[#parts + 1] = text(it[field]) end
  parts[#parts + 1] = it.turn
  for _, source in ipairs(it.sources) do parts[#parts + 1] = source.source .. '@' .. text(source.at) end
  return table.concat(parts, ' ')
end
local function put_failed(digest, it, rules)
  set('fail:' .. digest, write_failed(it), math.max(rules.memory, rules.doubt, TURN))
end
local function recent(count, at, memory)
  if math.max(now - at, 0) < memory then return count end
  return 0
end
local function weight(it, rules, subject)
  local sources = 0
  for _, source in ipairs(it.sources) do sources = sources + recent(1, source.at, rules.memory) end
  if sources < subject.sources then return 0 end
  local wrong = recent(it.wrong, it.wrong_at, rules.memory)
  local doubtful = recent(it.doubtful, it.doubtful_at, rules.doubt)
  local passed = subject.sources - 1
  local counted = math.max(doubtful - math.max(passed - wrong, 0), 0)
  return math.min(math.max(wrong - passed, 0) + math.min(counted, DOUBTS), subject.most)
end
local function wait_after(rules, failures)
  if failures == 0 then return 0 end
  local factor = failures > 32 and 4294967295 or 2 ^ (failures - 1)
  return math.min(rules.first * factor, rules.most)
end
local function note(it, rules, subject, source, fault)
  if fault == 'L' then
    local before = recent(it.left, it.left_at, rules.memory)
    it.left, it.left_at = before + 1, now
    if before < BROKEN_OFF then return end
  end
  local kept = {}
  for _, known in ipairs(it.sources) do
    if known.source ~= source then kept[#kept + 1] = known end
  end
  if #kept >= subject.sources then table.remove(kept, 1) end
  kept[#kept + 1] = {source = source, at = now}
  it.sources = kept
  if fault == 'D' then
    it.doubtful, it.doubtful_at = recent(it.doubtful, it.doubtful_at, rules.doubt) + 1, now
  else
    it.wrong, it.wrong_at = recent(it.wrong, it.wrong_at, rules.memory) + 1, now
  end
  if fault ~= 'U' then it.next = math.max(it.next, now + wait_after(rules, weight(it, rules, subject))) end
end
local function rules_at(words, i)
  return {
    first = tonumber(words[i]), most = tonumber(words[i + 1]),
    memory = tonumber(words[i + 2]), doubt = tonumber(words[i + 3]),
  }
end
local function subjects_at(words, i)
  local list = {}
  while words[i] do
    list[#list + 1] = {
      digest = words[i], sources = tonumber(words[i + 1]), most = tonumber(words[i + 2]), failed = failed(words[i]),
    }
    i = i + 3
  end
  return list
end

local answer = {}
-- open: lease, holds, degraded, name
function answer.O(a)
  local at = born()
  if at == 'other' then return {'X'} end
  local known, other, posted = nodes(), namesake(a[1], a[4]), board()
  if at == 'anew' then
    at = now
    set('born', VERSION .. ' ' .. check .. ' ' .. text(now) .. ' ' .. server)
  end
  local list = {}
  for _, lease in ipairs(known) do
    if lease ~= a[1] and lives(lease) then list[#list + 1] = lease end
  end
  list[#list + 1] = a[1]
  set('nodes', table.concat(list, ' '))
  return stand(a[1], node(a), at, other, posted)
end
-- renew: lease, holds, degraded, name
function answer.R(a)
  local at = born()
  if type(at) ~= 'number' or not lives(a[1]) then return {'N'} end
  return stand(a[1], node(a), at, namesake(a[1], a[4]), board())
end
-- close: lease
function answer.C(a)
  delete('lease:' .. a[1])
  return {'D'}
end
-- acquire: lease, maildrop, session
function answer.A(a)
  local wait = standing(a[1])
  if not wait then return {'N'} end
  if wait > 0 then return {'G', wait} end
  local it = hold(a[2])
  if it and lives(it.lease) then return {'U'} end
  local last = text(fence() + 1)
  set('fence', last)
  put_hold(a[2], a[1], a[3], last)
  return {'H', last}
end
-- keep: lease, maildrop, session, fence, sure
function answer.K(a)
  local wait = standing(a[1])
  if not wait then return {'N'} end
  local last, it = fence(), hold(a[2])
  local boot, generation = string.match(a[1], '^(%x+)%.(%d+)$')
  local same = false
  if it then
    local own, older = string.match(it.lease, '^(%x+)%.(%d+)$')
    same = own == boot and tonumber(older) <= tonumber(generation)
      and it.is == it.lease .. ' ' .. a[3] .. ' ' .. a[4]
  end
  if not same then
    local newer = not it or it.fence < tonumber(a[4])
    if a[5] ~= '1' or wait == 0 or not newer then return {'U'} end
  end
  if last < tonumber(a[4]) then set('fence', a[4]) end
  put_hold(a[2], a[1], a[3], a[4])
  return {'H', a[4]}
end
-- release: maildrop, lease, session, fence
function answer.L(a)
  local it = hold(a[1])
  if it and it.is == a[2] .. ' ' .. a[3] .. ' ' .. a[4] then delete('hold:' .. a[1]) end
  return {'D'}
end
-- enter: lease, account, cap
function answer.E(a)
  if not standing(a[1]) then return {'N'} end
  local list, all, own = places(a[2]), 0, 0
  for _, it in ipairs(list) do
    all = all + it.count
    if it.lease == a[1] then own = it.count end
  end
  if all >= tonumber(a[3]) then return {'U'} end
  put_places(a[2], list, a[1], own + 1)
  return {'D'}
end
-- count: lease, account, how many
function answer.P(a)
  if not standing(a[1]) then return {'N'} end
  put_places(a[2], places(a[2]), a[1], tonumber(a[3]))
  return {'D'}
end
-- post: kind, account, span
function answer.B(a)
  local untl, span, kept, last = now + tonumber(a[3]), tonumber(a[3]), {}, now
  local name = a[1] .. a[2]
  for _, it in ipairs(board()) do
    if it.post .. it.account ~= name then
      kept[#kept + 1] = it
    elseif it.untl >= untl then
      return {'D'}
    end
  end
  if span == 0 then return {'D'} end
  kept[#kept + 1] = {post = a[1], account = a[2], untl = untl}
  if #kept > POSTED then table.remove(kept, 1) end
  local parts = {}
  for _, it in ipairs(kept) do
    last = math.max(last, it.untl)
    parts[#parts + 1] = it.post .. it.account .. '=' .. text(it.untl)
  end
  set('board', table.concat(parts, ' '), last - now)
  return {'D'}
end
-- refresh: lease, grant, turn, span
function answer.T(a)
  if not standing(a[1]) then return {'N'} end
  local it = read_turn(a[2])
  if it and lives(it.lease) then return {'U'} end
  set('refresh:' .. a[2], a[1] .. ' ' .. a[3], tonumber(a[4]))
  return {'D'}
end
-- refreshed: lease, grant, turn
function answer.U(a)
  local it = read_turn(a[2])
  if it and it.lease == a[1] and it.turn == a[3] then delete('refresh:' .. a[2]) end
  return {'D'}
end
-- look: turn, rules, subjects
function answer.F(a)
  local rules, wait = rules_at(a, 2), 0
  if rules.most == 0 then return {'W', 0} end
  local slow = {}
  for _, it in ipairs(subjects_at(a, 6)) do
    if weight(it.failed, rules, it) > 0 then
      slow[#slow + 1] = it
      wait = math.max(wait, math.max(it.failed.next, it.failed.turn_until) - now)
    end
  end
  if wait > 0 then return {'W', wait} end
  for _, it in ipairs(slow) do
    it.failed.turn, it.failed.turn_until = a[1], now + TURN
    put_failed(it.digest, it.failed, rules)
  end
  return {'W', 0}
end
-- note: source, fault, rules, subjects
function answer.I(a)
  local rules = rules_at(a, 3)
  for _, it in ipairs(subjects_at(a, 7)) do
    note(it.failed, rules, it, a[1], a[2])
    put_failed(it.digest, it.failed, rules)
  end
  return {'D'}
end
-- spare: turn, subjects
function answer.S(a)
  for _, it in ipairs(subjects_at(a, 2)) do
    if it.failed.turn == a[1] then
      it.failed.turn, it.failed.turn_until = '-', 0
      set('fail:' .. it.digest, write_failed(it.failed), left('fail:' .. it.digest))
    end
  end
  return {'D'}
end
-- survey
function answer.V()
  if born() == 'other' then return {'X'} end
  local list = {'V', text(fence())}
  for _, lease in ipairs(nodes()) do
    local value = get('lease:' .. lease)
    if value then
      for _, word in ipairs({lease, text(left('lease:' .. lease)), value}) do list[#list + 1] = word end
    end
  end
  return list
end

local answers, i = {}, 5
while ARGV[i] do
  local count, question = tonumber(ARGV[i + 1]), {}
  for j = 1, count do question[j] = ARGV[i + 1 + j] end
  local done, it = pcall(answer[ARGV[i]], question)
  if not done then
    local why = type(it) == 'table' and it.err or tostring(it)
    -- what is wrong with the server is no matter of this question alone
    if why ~= 'foreign' and not string.find(why, 'WRONGTYPE', 1, true) then return redis.error_reply(why) end
    it = {'F'}
  end
  answers[#answers + 1] = it
  i = i + 2 + count
end
return answers
