-- ---- The victim of frecency ----

-- Entries of one frequency go in the order of their last access, so the victim is the head of a
-- class. Which one changes with every moment: the score of a head is frequency / (1 s + age), and
-- key g has for each class a time that its head was not used before. A search takes the classes
-- that may score less than a threshold, octave by octave of frequency: in an octave these are the
-- ones that were not used since a moment that follows from the threshold, a range of g. They are
-- met in a heap; one that comes to its top with a bound only is looked up and put back. Within a
-- call the clock stands still, so the heap serves all victims up to the threshold.

local heap, heap_count
local threshold -- the heap has all classes that score less, and
local loaded    -- the ones of these frequencies

local function age_of(last)
	return max(order - last, 0)
end

local function score_of(frequency, last)
	return frequency * US / (US + age_of(last))
end

-- frequency * time: the upper and the lower 36 bits, exact.
local function product(frequency, time)
	local part = 262144 -- 2^18
	local low = frequency * (time % part)
	local middle = frequency * (floor(time / part) % part) + floor(low / part)

	return frequency * floor(time / part / part) + floor(middle / part),
		middle % part * part + low % part
end

local function goes_before(a, b)
	local age_a, age_b = US + age_of(a.last), US + age_of(b.last)
	local left, right = a.frequency * age_b, b.frequency * age_a

	if left - right > left * 1e-15 then return false end
	if right - left > left * 1e-15 then return true end
	local left_high, left_low = product(a.frequency, age_b)
	local right_high, right_low = product(b.frequency, age_a)
	if left_high ~= right_high then return left_high < right_high end
	if left_low ~= right_low then return left_low < right_low end
	if a.last ~= b.last then return a.last < b.last end
	return a.stamp < b.stamp
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

-- The first of a class behind `after` (nil: of all).
local function next_of_class(frequency, after)
	local from = after and '(' .. after or '[' .. pack('>I4', frequency)
	local to = frequency < MAX_FREQUENCY and '(' .. pack('>I4', frequency + 1) or '+'
	local found = call('ZRANGEBYLEX', keys[F], from, to, 'LIMIT', 0, 1)[1]

	if not found then return nil end
	local _, last, stamp, rest = unpack_struct('>I4I7I7', found)
	return {frequency = frequency, last = last, stamp = stamp, member = found,
		key = sub(found, rest)}
end

-- The true head of a class of which a bound is known; the bound becomes true.
local function look_up(frequency, bound_ms)
	local head = next_of_class(frequency)

	if not head then
		call('ZREM', keys[G], frequency)
	elseif floor(head.last / 1000) ~= bound_ms then
		call('ZADD', keys[G], octave_of(frequency) * OCTAVE + floor(head.last / 1000),
			frequency)
	end
	return head
end

local function last_octave()
	local last = call('ZREVRANGE', keys[G], 0, 0, 'WITHSCORES')

	return last[2] and floor(last[2] / OCTAVE) or -1
end

-- Adds all classes to the heap that may score up to `wanted` and are not in it. False, and nothing
-- is added: an octave has more than `at_most` of them.
local function load(octaves, wanted, at_most)
	local some = {}

	for octave = 0, octaves do
		local from = octave * OCTAVE
		local age = 2 ^ octave * US / wanted * (1 - 1e-9) - US
		local to = age > 0 and floor((order - age) / 1000) + 1 or OCTAVE - 1

		some[octave] = to >= 0 and call('ZRANGEBYSCORE', keys[G], from, from + to,
			'WITHSCORES', 'LIMIT', 0, at_most) or {}
		if #some[octave] >= 2 * at_most then return false end
	end
	for octave = 0, octaves do
		local found = some[octave]

		for i = 1, #found, 2 do
			local frequency = tonumber(found[i])
			local bound_ms = found[i + 1] - octave * OCTAVE

			if not loaded[frequency] and
				score_of(frequency, bound_ms * 1000) <= wanted then
				loaded[frequency] = true
				heap_push({frequency = frequency, last = bound_ms * 1000,
					stamp = -1, bound_ms = bound_ms})
			end
		end
	end
	return true
end

-- A score that the victim's is not above, and not far below: the least among the heads of the
-- octaves that were not used for the longest time.
local function guess(octaves)
	local least = huge

	for octave = 0, octaves do
		local from = octave * OCTAVE
		local first, head

		repeat
			first = call('ZRANGEBYSCORE', keys[G], from, from + OCTAVE - 1,
				'WITHSCORES', 'LIMIT', 0, 1)
			head = first[1] and look_up(tonumber(first[1]), first[2] - from)
		until head or not first[1]
		if head then least = min(least, score_of(head.frequency, head.last)) end
	end
	return least * (1 + 1e-9)
end

local CLASSES_MAX = 64
local ALL = 2 ^ 33 -- beyond all scores

-- Fills the heap up to a threshold beyond the one of before.
local function widen()
	local octaves = last_octave()
	local wanted = threshold > 0 and threshold * 1.5 or state.score * 1.05

	if wanted == 0 or not load(octaves, wanted, CLASSES_MAX) then
		if threshold == 0 then wanted = min(guess(octaves), ALL) end
		load(octaves, wanted, MAX_FREQUENCY)
	end
	while wanted < ALL and
		(heap_count == 0 or score_of(heap[1].frequency, heap[1].last) > wanted) do
		wanted = wanted * 4
		load(octaves, wanted, MAX_FREQUENCY)
	end
	threshold = wanted
end

local function begin_frecency()
	heap, heap_count, threshold, loaded = {}, 0, 0, {}
end

-- The next victim, with key and member. Nil: there is none.
local function next_of_frecency()
	while true do
		local top = heap[1]

		if not top or score_of(top.frequency, top.last) > threshold * (1 - 1e-12) then
			if threshold >= ALL then return nil end
			widen()
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
	begin_frecency()
	while not is_met(goal) do
		local victim = next_of_frecency()

		if not victim then return true end
		if not spared[victim.key] then
			local head = find({victim.key})[1]

			state.score = score_of(victim.frequency, victim.last)
			remove(victim.key, head, 'evictions')
			if step_is_over() then return is_met(goal) end
		end
		local follower = next_of_class(victim.frequency, victim.member)
		if follower then heap_push(follower) end
	end
	return true
end

-- From key L or I, whose members hold the key behind `skip` bytes.
local function evict_in_order(key, skip, goal, spared)
	local after = '-'

	while not is_met(goal) do
		local members = call('ZRANGEBYLEX', keys[key], after, '+', 'LIMIT', 0, 16)
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

-- Removes what is beyond its stale time. False: there is more than one call does.
local function sweep()
	local until_us = now - state.stale * US

	if state.count == 0 or until_us < 0 then return true end
	while true do
		local list = call('ZRANGEBYSCORE', keys[X], '-inf', until_us, 'LIMIT', 0, 32)

		if #list == 0 then return true end
		local heads = find(list)
		for i = 1, #list do
			remove(list[i], heads[i], 'expirations')
			if step_is_over() then
				flush()
				return false
			end
		end
		flush()
	end
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
	if state.policy == NONE then return false end
	return state.over == 1 or state.used > max_used() or state.count > max_count()
end

-- One step towards the limits. False: there is more.
local function shrink()
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

local function order_is_built()
	state.in_force = state.policy
	state.building = 0
	state.cursor = ''
	if state.policy ~= LRU then drop_order(L, 'has_lru') end
	if state.policy ~= FIFO then drop_order(I, 'has_fifo') end
end

-- Brings the order on its way that the policy needs. Until it is complete the former one is in
-- force. Called before anything of the call is changed.
local function settle_policy()
	local policy = state.policy

	if state.building == 0 and state.in_force == policy then return end
	if state.building ~= 0 and state.building == policy then return end
	if state.building ~= 0 then -- of another one, which is not wanted any more
		if state.building == LRU then drop_order(L, 'has_lru') end
		if state.building == FIFO then drop_order(I, 'has_fifo') end
		state.building = 0
		state.cursor = ''
	end
	if policy == FRECENCY or policy == NONE or policy == state.in_force then
		return order_is_built()
	end
	if state.in_force == NONE then state.in_force = FRECENCY end
	if policy == LRU then state.has_lru = 1 else state.has_fifo = 1 end
	state.building = policy
	if state.count == 0 then order_is_built() end
end

-- One step: what lies behind the cursor in the order of frecency goes into the new one. What is
-- used or set meanwhile puts itself there. False: there is more.
local function build_order()
	while state.building ~= 0 do
		local from = state.cursor == '' and '-' or '(' .. state.cursor
		local members = call('ZRANGEBYLEX', keys[F], from, '+', 'LIMIT', 0, GROUP)
		local list = {}

		for i = 1, #members do
			-- u32 frequency, u56 last access, u56 stamp, key
			list[2 * i - 1] = 0
			list[2 * i] = state.building == LRU and sub(members[i], 5) or
				sub(members[i], 12)
		end
		write('ZADD', state.building == LRU and L or I, list)
		if #members < GROUP then
			order_is_built()
			return true
		end
		state.cursor = members[#members]
		steps = steps + GROUP / 4
		if step_is_over() then return false end
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
