-- ---- The victim of frecency ----

-- Entries of one frequency go in the order of their last access, so the victim is the head of a
-- class. Which one changes with every moment: the score of a head is frequency / (1 s + age). But
-- for one threshold, theta, it is fixed from when on a head scores less than that; key g has the
-- classes in the order of these moments. So the ones that may score less now are the beginning of
-- g. They go into a heap; one that comes to its top with a bound only is looked up and put back.
-- As long as the scores of the victims change little, the beginning is short. Once it is empty, or
-- long, all classes are gone through, and theta becomes what fits (retune). That is the one thing
-- here that no step bounds: it takes microseconds for each class.
-- Within a call the clock stands still, so one heap serves all of its victims.

local heap, heap_count
local threshold -- the heap has all classes that score less

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
		call('ZADD', keys[G], crossing_ms(frequency, head.last), frequency)
	end
	return head
end

-- The lower bound of a head's last access, milliseconds, from its moment as key g has it.
local function bound_of(frequency, moment)
	return max(floor(moment - frequency * 1000 / state.theta), 0)
end

local function push_bound(frequency, bound_ms, index)
	heap_push({frequency = frequency, last = bound_ms * 1000, stamp = -1,
		bound_ms = bound_ms, index = index})
end

-- Takes classes from the heap until `state.width` of them are looked up, and puts these back.
-- Bounds that are not true become true. Whether that were enough of them.
local function try_cut(bounds, cut)
	local first = {}

	while heap_count > 0 and #first < state.width do
		local top = heap_pop()

		if top.member then
			first[#first + 1] = top
		else
			local head = next_of_class(top.frequency)

			bounds[top.index] = head and floor(head.last / 1000)
			if head and score_of(head.frequency, head.last) <= cut then
				heap_push(head)
			end
		end
	end
	for i = 1, #first do heap_push(first[i]) end
	return 2 * #first >= state.width
end

-- Lets theta be such that some classes score less, the victim's among them, and has these in the
-- heap. `least`: theta is not to be less than that.
local function retune(least)
	flush()
	local found = call('ZRANGE', keys[G], 0, -1, 'WITHSCORES')
	local frequencies, bounds, count = {}, {}, #found / 2
	local cut
	for i = 1, count do
		frequencies[i] = tonumber(found[2 * i - 1])
		bounds[i] = bound_of(frequencies[i], found[2 * i])
	end
	state.width = max(CLASSES_MIN, floor(count / 64))
	repeat
		local scores, sorted = {}, {}

		for i = 1, count do
			scores[i] = bounds[i] and score_of(frequencies[i], bounds[i] * 1000)
			if bounds[i] then sorted[#sorted + 1] = scores[i] end
		end
		heap, heap_count = {}, 0
		threshold = huge
		if #sorted == 0 then break end
		sort(sorted)
		cut = max(sorted[2 * state.width] or 4 * sorted[#sorted], least, 1e-12)
		for i = 1, count do
			if bounds[i] and scores[i] <= cut then
				push_bound(frequencies[i], bounds[i], i)
			end
		end
		threshold = cut
	until try_cut(bounds, cut) or #sorted <= 2 * state.width
	if cut then state.theta = cut end
	local moments, empty = {}, {}
	for i = 1, count do
		if bounds[i] then
			append(moments, crossing_ms(frequencies[i], bounds[i] * 1000),
				frequencies[i])
		else
			append(empty, frequencies[i])
		end
		if #moments >= 800 then
			write('ZADD', G, moments)
			moments = {}
		end
		if #empty >= 800 then
			write('ZREM', G, empty)
			empty = {}
		end
	end
	write('ZADD', G, moments)
	write('ZREM', G, empty)
	-- It counts as some of the steps, but some are left.
	steps = max(steps, min(steps + floor(count / 8), steps_max - STEP_MIN))
end

local function begin_frecency()
	heap, heap_count = {}, 0
	threshold = state.theta
	local found = call('ZRANGEBYSCORE', keys[G], '-inf', floor(order / 1000) + 1001,
		'WITHSCORES', 'LIMIT', 0, 4 * state.width)

	if #found == 0 or #found >= 8 * state.width then return retune(0) end
	for i = 1, #found, 2 do
		local frequency = tonumber(found[i])

		push_bound(frequency, bound_of(frequency, found[i + 1]))
	end
end

-- The next victim, with key and member. Nil: there is none.
local function next_of_frecency()
	while true do
		local top = heap[1]

		if threshold < huge and
			(not top or score_of(top.frequency, top.last) > threshold * (1 - 1e-12))
		then
			-- Beyond the ones that are spared, which would come again and again.
			retune(threshold * 1.5)
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
	begin_frecency()
	while not is_met(goal) do
		local victim = next_of_frecency()

		if not victim then return true end
		if not spared[victim.key] then
			local head = find({victim.key})[1]

			remove(victim.key, head, 'evictions')
			if step_is_over() or is_met(goal) then return is_met(goal) end
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
		steps = steps + GROUP
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
