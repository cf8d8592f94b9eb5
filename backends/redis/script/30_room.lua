-- ---- The victim of frecency ----

-- Entries of one frequency go in the order of their last access, so the victim is the head of a
-- class. Which one changes with every moment: the score of a head is frequency / (1 s + age). But
-- for one threshold, theta, it is fixed from when on a head scores less than that; key g has the
-- classes in the order of these moments. So the ones that may score less now are the beginning of
-- g. They go into a heap; one that comes to its top with a bound only is looked up and put back.
-- As long as the scores of the victims change little, the beginning is short. Once it is empty, or
-- long, theta becomes what fits (begin_tuning, by a sample of the classes), and the order of the
-- moments is built anew, in key j, in steps (tune): until it is complete, nothing is evicted, and
-- the calls that wait for that say MORE. Where there are few classes, all are in the heap.
-- Within a call the clock stands still, so one heap serves all of its victims.

local heap, heap_count
local threshold -- the heap has all classes that score less

local function age_of(last)
	return max(order - last, 0)
end

local function score_of(frequency, last)
	return frequency * US / (US + age_of(last))
end

local goes_before
do
-- frequency * time: the upper and the lower 36 bits, exact.
local function product(frequency, time)
	local part = 262144 -- 2^18
	local low = frequency * (time % part)
	local middle = frequency * (floor(time / part) % part) + floor(low / part)

	return frequency * floor(time / part / part) + floor(middle / part),
		middle % part * part + low % part
end

-- Of two items whose scores are as good as equal.
local function goes_before_exactly(a, b)
	local age_a, age_b = US + age_of(a.last), US + age_of(b.last)
	local left_high, left_low = product(a.frequency, age_b)
	local right_high, right_low = product(b.frequency, age_a)

	if left_high ~= right_high then return left_high < right_high end
	if left_low ~= right_low then return left_low < right_low end
	if a.last ~= b.last then return a.last < b.last end
	return a.stamp < b.stamp
end

function goes_before(a, b)
	local left, right = a.score, b.score

	if right - left > left * 2e-15 then return true end
	if left - right > left * 2e-15 then return false end
	return goes_before_exactly(a, b)
end
end

local function heap_push(item)
	local at = heap_count + 1

	heap_count = at
	while at > 1 do
		local parent = floor(at / 2)

		if not goes_before(item, heap[parent]) then break end
		heap[at] = heap[parent]
		at = parent
	end
	heap[at] = item
end

local function heap_pop()
	local top, item = heap[1], heap[heap_count]
	local at = 1

	heap[heap_count] = nil
	heap_count = heap_count - 1
	if heap_count == 0 then return top end
	while 2 * at <= heap_count do
		local child = 2 * at

		if child < heap_count and goes_before(heap[child + 1], heap[child]) then
			child = child + 1
		end
		if not goes_before(heap[child], item) then break end
		heap[at] = heap[child]
		at = child
	end
	heap[at] = item
	return top
end

-- From where on, and up to where, the entries of a class are in key f.
local function ends_of_class(frequency)
	return '[' .. pack('>I4', frequency),
		frequency < MAX_FREQUENCY and '(' .. pack('>I4', frequency + 1) or '+'
end

local function read_member(member)
	local frequency, last, stamp, rest = unpack_struct(ORDER, member)

	return {frequency = frequency, last = last, stamp = stamp, member = member,
		key = sub(member, rest), score = score_of(frequency, last)}
end

local function head_of_class(frequency)
	local from, to = ends_of_class(frequency)
	local found = call('ZRANGEBYLEX', keys[F], from, to, 'LIMIT', '0', '1')[1]

	return found and read_member(found)
end

-- The one behind `item` in its class; nil: there is none. Looked up are more at once the more of
-- the class go.
local function follower_of(item)
	local chunk, at = item.chunk, (item.at or 0) + 1

	if not chunk or not chunk[at] then
		local _, to = ends_of_class(item.frequency)
		local size = chunk and min(4 * #chunk, CHUNK) or 1
		local list = {}

		chunk, at = call('ZRANGEBYLEX', keys[F], '(' .. item.member, to, 'LIMIT', '0',
			size), 1
		if not chunk[1] then return nil end
		for i = 1, size > 1 and #chunk or 0 do
			list[i] = sub(chunk[i], ORDER_BYTES + 1)
		end
		chunk.heads = find(list)
	end
	local follower = read_member(chunk[at])
	follower.chunk, follower.at, follower.head = chunk, at, chunk.heads[at]
	return follower
end

-- The true head of a class of which a bound is known; the bound becomes true.
local function look_up(frequency, bound_ms)
	local head = head_of_class(frequency)

	if not head then
		call('ZREM', keys[G], frequency)
	elseif floor(head.last / 1000) ~= bound_ms then
		call('ZADD', keys[G], crossing_ms(frequency, head.last, state.theta), frequency)
	end
	state.classes[frequency] = head and head.last
	return head
end

-- ---- Tuning of theta ----

local EVERYTHING = 1e10 -- a theta beyond all scores
local begin_tuning, tune
do
local SAMPLE = 256      -- classes by which theta is chosen
local CLASSES_A_STEP = 3

-- Chooses a theta such that some classes score less, the victim's among them; at least `least`.
function begin_tuning(least)
	local count = call('ZCARD', keys[G])
	local theta = EVERYTHING

	state.width = max(CLASSES_MIN, min(floor(count / 64), CLASSES_MAX))
	if count > 2 * state.width then
		local sample = call('ZRANDMEMBER', keys[G], min(SAMPLE, count))
		local scores = {}

		for i = 1, #sample do
			local head = head_of_class(tonumber(sample[i]))

			if head then
				scores[#scores + 1] = head.score
			end
		end
		sort(scores)
		local wanted = max(1, floor(#scores * state.width / count))
		theta = max(scores[wanted] or EVERYTHING, least, 1e-12)
		steps = steps + floor(#sample / CLASSES_A_STEP)
	end
	call('UNLINK', keys[J])
	state.next_theta, state.tuned_to = theta, 0
	state.classes = {}
end

local function end_tuning()
	call('UNLINK', keys[G])
	call(state.tuned_to > 0 and 'RENAME' or 'UNLINK', keys[J], keys[G])
	state.theta, state.next_theta, state.tuned_to = state.next_theta, 0, 0
	state.classes = {}
end

-- One step: the classes from `tuned_to` on go into key j. False: there is more.
function tune()
	local list = {}
	local is_done = false

	while not is_done and steps < steps_max do
		local from = '[' .. pack('>I4', state.tuned_to)
		local found = call('ZRANGEBYLEX', keys[F], from, '+', 'LIMIT', '0', '1')[1]

		if found then
			local frequency, last = unpack_struct('>I4I7', found)

			append_pair(list, crossing_ms(frequency, last, state.next_theta), frequency)
			state.tuned_to = frequency + 1
			steps = steps + 1 / CLASSES_A_STEP
		end
		is_done = not found or state.tuned_to > MAX_FREQUENCY
	end
	for first = 1, #list, PIECE do
		call('ZADD', keys[J], 'LT', unpack(list, first, min(first + PIECE - 1, #list)))
	end
	if is_done then end_tuning() end
	return is_done
end

-- ---- The heap of a call ----
end

local met_spared -- some of the victims of the call are spared

-- Fills it with the classes that may score less than theta. least: theta is to be tuned before, and
-- that at least; nil: only if need be. False: that takes further calls.
local function begin_frecency(least)
	local was_tuned = false

	while true do
		if state.next_theta > 0 then
			if not tune() then return false end
			was_tuned = true
		end
		heap, heap_count = {}, 0
		threshold = state.theta < EVERYTHING and state.theta or huge
		local found = call('ZRANGEBYSCORE', keys[G], '-inf', floor(order / 1000) + 1001,
			'WITHSCORES', 'LIMIT', '0', 4 * state.width)
		local is_long = #found >= 8 * state.width
		local is_short = #found == 0 and threshold < huge or least and not was_tuned
		if not is_long and not is_short then
			for i = 1, #found, 2 do
				local frequency = tonumber(found[i])
				local bound_ms = max(floor(found[i + 1]
					- frequency * 1000 / state.theta), 0)

				heap_push({frequency = frequency, last = bound_ms * 1000,
					stamp = -1, bound_ms = bound_ms,
					score = score_of(frequency, bound_ms * 1000)})
			end
			return true
		end
		if is_long and was_tuned then
			state.width = 2 * state.width -- so many score the same
		else
			begin_tuning(least or 0)
		end
	end
end

-- The next victim, with key and member; nil: there is none; false: not in this call.
local function next_of_frecency()
	while true do
		local top = heap[1]

		if threshold < huge and
			(not top or top.score > threshold * (1 - 1e-12))
		then
			-- Beyond the ones that are spared, which would come again and again.
			flush()
			if not begin_frecency(met_spared and threshold * 1.5 or 0) then
				return false
			end
		elseif not top then
			return nil
		else
			heap_pop()
			if top.member then return top end
			local head = look_up(top.frequency, top.bound_ms)

			if head then heap_push(head) end
		end
	end
end

-- ---- Eviction ----

local function is_met(goal)
	return state.used <= goal.used and state.count <= goal.count
end

local function evict_by_frecency(goal, spared)
	met_spared = false
	if not begin_frecency() then return false end
	while not is_met(goal) do
		local victim = next_of_frecency()

		if not victim then return victim == nil end
		if spared[victim.key] then
			met_spared = true
		else
			remove(victim.key, victim.head or call('HGET', keys[H], victim.key),
				'evictions')
			if step_is_over() or is_met(goal) then return is_met(goal) end
		end
		local follower = follower_of(victim)
		if follower then heap_push(follower) end
	end
	return true
end

-- From key L or I, whose members hold the key behind `skip` bytes.
local function evict_in_order(key, skip, goal, spared)
	local after = '-'

	while not is_met(goal) do
		local some = state.used > goal.used and CHUNK or min(state.count - goal.count, CHUNK)
		local members = call('ZRANGEBYLEX', keys[key], after, '+', 'LIMIT', '0', some)
		local list = {}

		if #members == 0 then return true end
		for i = 1, #members do list[i] = sub(members[i], skip + 1) end
		local heads = find(list)
		for i = 1, #list do
			if is_met(goal) then return true end
			if not spared[list[i]] then
				remove(list[i], heads[i], 'evictions')
				if step_is_over() then return is_met(goal) end
			end
		end
		after = '(' .. members[#members]
	end
	return true
end

-- Removes the next victims until `goal` is met or nothing is left to remove. False: there is more
-- to do than one call does.
local function evict(goal, spared)
	local done = true

	if state.in_force == LRU then
		done = evict_in_order(L, 14, goal, spared)
	elseif state.in_force == FIFO then
		done = evict_in_order(I, 7, goal, spared)
	elseif state.in_force == FRECENCY then
		done = evict_by_frecency(goal, spared)
	end
	flush()
	return done
end

-- ---- Expiry ----

-- Whether something is beyond its stale time. state.first_expiry: nothing expires earlier; nil: that
-- is not known.
local function has_expired(until_us)
	if not state.first_expiry then
		local first = call('ZRANGE', keys[X], '0', '0', 'WITHSCORES')[2]

		state.first_expiry = first and tonumber(first) or huge
	end
	return state.first_expiry <= until_us
end

-- Removes these entries. False: there are more than one call does.
local function remove_expired(list)
	local heads = find(list)

	for i = 1, #list do
		remove(list[i], heads[i], 'expirations')
		if step_is_over() then
			flush()
			return false
		end
	end
	flush()
	return true
end

-- Removes what nobody has used for the idle time, which is at the beginning of key l once that is
-- complete. False: there is more than one call does.
local function sweep_idle()
	if state.idle == 0 or state.has_lru == 0 or state.building == LRU then return true end
	local bound = now + state.ahead - state.idle * US + 1
	if bound <= 0 then return true end
	bound = '(' .. pack('>I7', bound)
	repeat
		local members = call('ZRANGEBYLEX', keys[L], '-', bound, 'LIMIT', '0', '32')
		local list = {}

		for i = 1, #members do list[i] = sub(members[i], 15) end
		if not remove_expired(list) then return false end
	until #members == 0
	return true
end

-- Removes what is beyond its stale time, or idle. False: there is more than one call does.
local function sweep()
	local until_us = now - state.stale * US

	if not sweep_idle() then return false end

	while until_us >= 0 and has_expired(until_us) do
		local list = call('ZRANGEBYSCORE', keys[X], '-inf', format('%.0f', until_us),
			'LIMIT', '0', '32')

		state.first_expiry = nil
		if not remove_expired(list) then return false end
	end
	return true
end

-- ---- Limits ----

local function max_used()
	return state.max_size > 0 and state.max_size or huge
end

local function max_count()
	return state.capacity >= 0 and state.capacity or huge
end

-- What an eviction for the limit of bytes goes down to: 80 %.
local function low_water()
	local size = state.max_size

	return size > 0 and floor(size / 5) * 4 + floor(size % 5 * 4 / 5) or huge
end

-- Whether steps of `work` are to follow.
local function is_pending()
	if state.building ~= 0 then return true end
	if state.next_theta > 0 and state.in_force == FRECENCY then return true end
	if state.policy == NONE then return false end
	return state.over == 1 or state.used > max_used() or state.count > max_count()
end

-- One step towards the limits. False: there is more.
local function shrink()
	if state.next_theta > 0 and state.in_force == FRECENCY and not tune() then return false end
	if state.policy == NONE then
		state.over = 0
		return true
	end
	if state.over == 0 and state.used <= max_used() and state.count <= max_count() then
		return true
	end
	if not sweep() then return false end
	if state.used > max_used() then state.over = 1 end
	local goal = {used = state.over == 1 and low_water() or huge, count = max_count()}
	local done = evict(goal, {})
	if done then state.over = 0 end
	return done
end

-- ---- The policy in force ----

local function drop_order(key, flag)
	if state[flag] == 1 then call('UNLINK', keys[key]) end
	state[flag] = 0
end

local function is_complete(policy)
	if policy == LRU then return state.has_lru == 1 and state.building ~= LRU end
	if policy == FIFO then return state.has_fifo == 1 and state.building ~= FIFO end
	return true
end

local function wants_lru()
	return state.policy == LRU or state.idle > 0
end

-- Brings the orders on their way that the policy and the idle time need, one after the other. Until
-- that of the policy is complete the former one is in force. Called before anything of the call is
-- changed.
local function settle_policy()
	local s, policy = state, state.policy

	if s.building == 0 and s.in_force == policy and (s.has_lru == 1) == wants_lru() then return end
	-- One on its way that is not wanted any more.
	if s.building == LRU and not wants_lru() then
		drop_order(L, 'has_lru')
		s.building, s.cursor = 0, ''
	elseif s.building == FIFO and policy ~= FIFO then
		drop_order(I, 'has_fifo')
		s.building, s.cursor = 0, ''
	end
	if is_complete(policy) then
		s.in_force = policy
	elseif s.in_force == NONE then
		s.in_force = FRECENCY
	end
	if s.in_force ~= LRU and not wants_lru() then drop_order(L, 'has_lru') end
	if s.in_force ~= FIFO and policy ~= FIFO then drop_order(I, 'has_fifo') end
	if s.building ~= 0 then return end
	local next_order = not is_complete(policy) and policy
		or wants_lru() and not is_complete(LRU) and LRU
	if not next_order then return end
	if next_order == LRU then s.has_lru = 1 else s.has_fifo = 1 end
	if s.count == 0 then return settle_policy() end
	s.building = next_order
end

-- One step: what lies behind the cursor in the order of frecency goes into the new one. What is
-- used or set meanwhile puts itself there. False: there is more.
local function build_order()
	while state.building ~= 0 do
		local from = state.cursor == '' and '-' or '(' .. state.cursor
		local members = call('ZRANGEBYLEX', keys[F], from, '+', 'LIMIT', '0', GROUP)
		local list = {}

		for i = 1, #members do
			-- u32 frequency, u56 last access, u56 stamp, key
			list[2 * i - 1] = 0
			list[2 * i] = state.building == LRU and sub(members[i], 5) or
				sub(members[i], 12)
		end
		write('ZADD', state.building == LRU and L or I, list, #list)
		if #members < GROUP then
			state.building, state.cursor = 0, ''
			settle_policy()
		else
			state.cursor = members[#members]
		end
		steps = steps + GROUP
		if step_is_over() then return state.building == 0 end
	end
	return true
end

-- Takes the settings that nobody configured from the call.
local function adopt(defaults_of_call)
	local read = read_defaults(defaults_of_call)
	local mask = state.mask

	if mask % 2 < 1 then state.max_size = read.max_size end
	if mask % 4 < 2 then state.capacity = read.capacity end
	if mask % 8 < 4 then state.ttl = read.ttl end
	if mask % 16 < 8 then state.policy = read.policy end
end
