-- ---- Set ----

-- head: of the live entry; false or nil: there is none.
local function condition_holds(kind, etags, head)
	if kind == '' then return true end
	if kind == 'absent' then return not head end
	if kind == 'present' then return head and true end
	local is_one = false
	for i = 1, head and #etags or 0, 16 do
		is_one = is_one or sub(etags, i, i + 15) == etag_of(head)
	end
	if kind == 'match' then return is_one end
	return not is_one
end

local function check_condition(kind, etags, count)
	local is_known = kind == '' or kind == 'absent' or kind == 'present' or kind == 'match'
		or kind == 'none_match'

	if not is_known or #etags % 16 ~= 0 or kind ~= '' and count ~= 1 then fail('condition') end
end

local function read_history(text)
	local frequency, made, last, expires = match(text, '^(%d+) (%d+) (%d+) (%-?%d+)$')

	if not frequency then fail('history') end
	return {frequency = number(frequency, 0, MAX_FREQUENCY, 'frequency'),
		created = number(made, 0, MAX_NUMBER, 'created'),
		last = number(last, 0, MAX_NUMBER, 'last access'),
		expires = number(expires, -1, MAX_NUMBER, 'expires')}
end

local ITEM_ARGUMENTS = 4 -- key, text, ttl, history

-- The keys of the items in the arguments from `first` on.
local function read_keys(arguments, first)
	local list, seen = {}, {}

	if (#arguments - first + 1) % ITEM_ARGUMENTS ~= 0 then fail('items') end
	for at = first, #arguments, ITEM_ARGUMENTS do
		local key = arguments[at]

		if seen[key] then fail('the same key twice') end
		seen[key] = true
		list[#list + 1] = key
	end
	return list
end

-- What the front took for the time of the set, if that is near; else the engine's.
local NEAR_US = 100000

local function moment_of(modified)
	if modified >= now - NEAR_US and modified <= now + NEAR_US then return modified end
	return now
end

local function ttl_of(text)
	if text == '-1' then return state.ttl end
	if text == '0' then return 0 end
	return number(text, 0, MAX_NUMBER / US, 'ttl')
end

-- What the items change in the accounts, with their changes in `changes`. `kept` and `added`:
-- without what is replaced but has expired for good, as it must not matter whether that was swept
-- before.
local growth = {}

local function forget_plan()
	is_clean = false
	begin_changes()
end

local function plan_item(key, text, ttl_text, history_text, old, reading)
	if #text < 42 then fail('text') end
	local modified, expires_told, size = unpack_struct('<i8i8i8', text)
	local kind_length = byte(text, 42)
	local moment, ttl = moment_of(modified), ttl_of(ttl_text)
	local frequency, last, stamp, expires = 1, reading, nil, ttl > 0 and moment + ttl * US or 0
	local g, c = growth, changes

	if size < #text - 42 - kind_length or size > MAX_NUMBER or #text < 42 + kind_length then
		fail('size')
	end
	local used = #key + kind_length + size + OVERHEAD
	local history = history_text ~= '' and read_history(history_text)
	if history then
		if history.frequency > 0 then frequency = history.frequency end
		if history.last > 0 and history.last < now then last = order_of_past(history.last) end
		if history.created > 0 and history.created < now then
			stamp = order_of_past(history.created)
		end
		if history.expires >= 0 then expires = history.expires end
	end
	if old then
		local old_frequency, _, old_stamp = unpack_struct(ORDER, old)
		local old_expires, old_used, old_size =
			unpack_struct(ACCOUNTS, old, ORDER_BYTES + 1)
		local member = sub(old, 1, ORDER_BYTES) .. key

		if old_expires > 0 and old_expires <= now then
			g.expirations = g.expirations + 1
		elseif not history then
			frequency = min(old_frequency + 1, MAX_FREQUENCY)
			stamp = old_stamp
		end
		if old_expires > 0 and old_expires + state.stale * US <= now then
			g.added = g.added + 1
		else
			g.kept = g.kept + old_used
		end
		c.gone_f[#c.gone_f + 1] = member
		if state.has_lru == 1 then append(c.gone_l, sub(member, 5)) end
		if state.has_fifo == 1 then append(c.gone_i, sub(member, 12)) end
		if old_expires > 0 and expires == 0 then append(c.gone_x, key) end
		g.replaced = g.replaced + old_used
		g.size = g.size - old_size
		g.frequency = g.frequency - old_frequency
	else
		append_pair(c.n, '0', key)
		g.count = g.count + 1
		g.added = g.added + 1
	end
	if not stamp then
		stamp = max(order, g.last_stamp + 1)
		g.last_stamp = stamp
	end
	g.used = g.used + used
	g.size = g.size + size
	g.frequency = g.frequency + frequency
	if moment ~= modified or expires ~= expires_told then
		text = pack('<i8i8', moment, expires) .. sub(text, 17)
	end
	local place = pack(ORDER, frequency, last, stamp)
	local member = place .. key
	local at = #c.frequency + 1
	c.frequency[at], c.last[at] = frequency, last
	at = 2 * at
	c.v[at - 1], c.v[at] = key, text
	c.h[at - 1] = key
	c.h[at] = place .. pack(ACCOUNTS, expires, used, size) .. sub(text, 25, 40)
	c.f[at - 1], c.f[at] = '0', member
	if state.has_lru == 1 then append_pair(c.l, '0', sub(member, 5)) end
	if state.has_fifo == 1 then append_pair(c.i, '0', sub(member, 12)) end
	if expires > 0 then append_pair(c.x, format('%.0f', expires), key) end
end

-- Plans the items number `from` to `to`, of which the arguments begin at `first`; heads: of all.
-- Of a batch the later is the more recent; sets that are `apart` happen at the same time.
local function plan(arguments, first, list, heads, from, to, apart)
	local g = growth

	g.used, g.replaced, g.count, g.kept, g.added = 0, 0, 0, 0, 0
	g.size, g.frequency, g.expirations, g.items = 0, 0, 0, to - from + 1
	g.last_stamp, g.order = state.last_stamp, order
	g.peak_used, g.peak_count = 0, 0
	g.beyond = not apart and to > from and 1 or 0
	for i = from, to do
		local at = first + ITEM_ARGUMENTS * (i - 1)

		plan_item(list[i], arguments[at + 1], arguments[at + 2], arguments[at + 3],
			heads[i], order)
		if apart then
			g.peak_used = max(g.peak_used, g.used - g.replaced)
			g.peak_count = max(g.peak_count, g.count)
		elseif i < to then
			order = order + 1
		end
	end
	g.last_order, order = order, g.order
end

local function measure()
	local g = growth

	g.too_big = state.used - g.replaced > max_used() - g.used
	g.too_many = state.count > max_count() - g.count
	if state.policy == NONE then
		g.too_big = g.too_big and g.used > g.kept
		g.too_many = g.too_many and g.added > 0
	end
end

-- Does what is planned.
local function commit()
	local g, c, s = growth, changes, state

	write('ZREM', F, c.gone_f)
	write('ZREM', X, c.gone_x)
	write('ZREM', L, c.gone_l)
	write('ZREM', I, c.gone_i)
	write('HSET', V, c.v)
	write('HSET', H, c.h)
	write('ZADD', N, c.n)
	write('ZADD', F, c.f)
	enter_classes(c.frequency, c.last)
	write('ZADD', X, c.x)
	write('ZADD', L, c.l)
	write('ZADD', I, c.i)
	s.count = s.count + g.count
	s.used = s.used + g.used - g.replaced
	s.size = s.size + g.size
	s.frequency_sum = s.frequency_sum + g.frequency
	s.expirations = s.expirations + g.expirations
	s.last_stamp = g.last_stamp
	s.sets = s.sets + g.items
	order = g.last_order
	s.latest = max(s.latest, order + g.beyond)
end

-- Makes room for what is planned, which is planned again if something of it was swept. OK, FULL, or
-- MORE.
local function make_room(arguments, first, list, heads, from, to)
	local count_before = state.count
	local is_swept = sweep()

	if state.count < count_before then
		local found = find(list)

		for i = 1, #list do heads[i] = found[i] end
		forget_plan()
		plan(arguments, first, list, heads, from, to)
	end
	measure()
	local g = growth
	if not g.too_big and not g.too_many then return OK end
	if not is_swept then return MORE end
	if state.policy == NONE then return FULL end
	local spared = {}
	for i = from, to do spared[list[i]] = true end
	if g.too_big then state.over = 1 end
	local done = evict({
		used = (g.too_big and low_water() or huge) - g.used + g.replaced,
		count = max_count() - g.count}, spared)
	if done then
		state.over = 0
		return OK
	end
	measure()
	if g.too_big or g.too_many then return MORE end
	return OK -- the way down to the low water goes on with `work`
end

-- Capacity 0: nothing is stored, and what was there before is not to be served on.
local function store_nothing(list, heads, from, to)
	for i = from, to do
		if heads[i] then
			remove(list[i], heads[i],
				is_live(heads[i]) and 'evictions' or 'expirations')
		end
	end
	flush()
	return OK
end

-- Whoever computes a value has no need to once it came.
local function end_leases(list)
	for first = 1, #list, 1000 do
		local last = min(first + 999, #list)

		if call('HDEL', keys[W], unpack(list, first, last)) > 0 then
			call('ZREM', keys[T], unpack(list, first, last))
		end
	end
end

-- Sets the items number `from` to `to`, all or none.
local function set_items(arguments, first, list, heads, from, to)
	if state.capacity == 0 then return store_nothing(list, heads, from, to) end
	plan(arguments, first, list, heads, from, to)
	local code = OK
	if growth.used > max_used() then
		code = TOO_LARGE
	elseif to - from + 1 > max_count() then
		code = TOO_MANY
	else
		measure()
		if growth.too_big or growth.too_many then
			code = make_room(arguments, first, list, heads, from, to)
		end
	end
	if code == OK then commit() else forget_plan() end
	return code
end

-- A character for each entry of which `heads` has what was there before.
local function tell_created(heads, count)
	local told = {}

	for i = 1, count do
		told[i] = heads[i] and is_live(heads[i]) and '0' or '1'
	end
	return told
end

-- Begins a set: its keys and their heads; nil: the namespace is absent.
local function begin_set(keys_of_call, arguments, first, condition, etags)
	local is_there = begin(keys_of_call, arguments[1])
	local list = read_keys(arguments, first)

	check_notify(arguments[4])
	check_condition(condition, etags, #list)
	read_defaults(arguments[2])
	if not is_there then
		if arguments[3] ~= '1' then return nil end
		create()
	end
	begin_steps(#list)
	begin_changes()
	adopt(arguments[2])
	settle_policy()
	read_order_clock()
	return list, find(list)
end

local function set(keys_of_call, arguments)
	local condition, etags = arguments[5], arguments[6]
	local list, heads = begin_set(keys_of_call, arguments, 7, condition, etags)

	if not list then return {ABSENT, now} end
	local code = REFUSED
	if condition == ''
		or condition_holds(condition, etags, heads[1] and is_live(heads[1]) and heads[1])
	then
		code = set_items(arguments, 7, list, heads, 1, #list)
	end
	local told = code == OK and tell_created(heads, #list) or {}
	save()
	if code == OK then
		end_leases(list)
		publish(arguments[4], 'W', list)
	end
	return {code, now, is_pending() and 1 or 0, state.ttl, concat(told),
		state.capacity == 0 and 0 or 1}
end

-- Those that do not fit as they are make room one after the other. A set never waits for others.
local function set_one_by_one(arguments, list, heads)
	local words = {[TOO_LARGE] = 'L', [FULL] = 'F', [MORE] = 'M'}
	local told, stored = {}, {}

	for i = 1, #list do
		local code = MORE

		if steps < steps_max then
			heads[i] = call('HGET', keys[H], list[i])
			code = set_items(arguments, 5, list, heads, i, i)
		end
		told[i] = words[code]
		if code == OK then
			told[i] = tell_created({heads[i]}, 1)[1]
			stored[#stored + 1] = list[i]
		end
	end
	return told, stored
end

local function set_each(keys_of_call, arguments)
	local list, heads = begin_set(keys_of_call, arguments, 5, '', '')
	local told, stored

	if not list then return {ABSENT, now} end
	plan(arguments, 5, list, heads, 1, #list, true)
	if state.used + growth.peak_used > max_used()
		or state.count + growth.peak_count > max_count() or state.capacity == 0
	then
		forget_plan()
		told, stored = set_one_by_one(arguments, list, heads)
	else
		commit()
		told, stored = tell_created(heads, #list), list
	end
	save()
	if stored[1] then
		end_leases(stored)
		publish(arguments[4], 'W', stored)
	end
	return {OK, now, is_pending() and 1 or 0, state.ttl, concat(told),
		state.capacity == 0 and 0 or 1}
end

-- ---- Uses ----

local last_reading -- of the uses of the call so far

local function count_uses(list, counts, ages)
	local heads = find(list)
	local c, s = changes, state
	local has_lru = s.has_lru == 1

	for i = 1, #list do
		local text, key = heads[i], list[i]

		if text then
			local frequency, last, stamp = unpack_struct(ORDER, text)
			local risen = min(frequency + counts[i], MAX_FREQUENCY)
			local reading = max(order - ages[i], last_reading + 1)
			local later = max(last, reading)
			local member = sub(text, 1, ORDER_BYTES) .. key
			local place = pack(ORDER, risen, later, stamp)
			local new_member = place .. key
			local at = #c.gone_f + 1

			last_reading = reading
			s.frequency_sum = s.frequency_sum + risen - frequency
			c.gone_f[at] = member
			c.frequency[at], c.last[at] = risen, later
			if has_lru then
				c.gone_l[at] = sub(member, 5)
				append_pair(c.l, '0', sub(new_member, 5))
			end
			at = 2 * at
			c.f[at - 1], c.f[at] = '0', new_member
			c.h[at - 1], c.h[at] = key, place .. sub(text, ORDER_BYTES + 1)
		end
	end
	s.latest = max(s.latest, last_reading)
	write('ZREM', F, c.gone_f)
	write('HSET', H, c.h)
	write('ZADD', F, c.f)
	enter_classes(c.frequency, c.last)
	write('ZREM', L, c.gone_l)
	write('ZADD', L, c.l)
end

local function use(keys_of_call, arguments)
	local is_there = begin(keys_of_call, arguments[1])
	local hits = number(arguments[2], 0, MAX_NUMBER, 'hits')
	local misses = number(arguments[3], 0, MAX_NUMBER, 'misses')
	local stale_hits = number(arguments[4], 0, MAX_NUMBER, 'stale hits')
	local list, counts, ages, at_key = {}, {}, {}, {}

	if (#arguments - 4) % 3 ~= 0 then fail('uses') end
	for at = 5, #arguments, 3 do
		local key = arguments[at]
		local count = number(arguments[at + 1], 1, MAX_NUMBER, 'count')
		local age = number(arguments[at + 2], 0, MAX_NUMBER, 'age')
		local same = at_key[key]

		if same then
			counts[same] = counts[same] + count
			ages[same] = min(ages[same], age)
		else
			same = #list + 1
			list[same], counts[same], ages[same] = key, count, age
			at_key[key] = same
		end
	end
	if not is_there then return {ABSENT, now} end
	begin_changes()
	read_order_clock()
	last_reading = 0
	if list[1] then count_uses(list, counts, ages) end
	state.hits = state.hits + hits
	state.misses = state.misses + misses
	state.stale_hits = state.stale_hits + stale_hits
	save()
	return {OK, now}
end

-- ---- Delete, clear ----

local function delete(keys_of_call, arguments)
	local notify, condition, etags = arguments[2], arguments[3], arguments[4]
	local is_there = begin(keys_of_call, arguments[1])
	local list, heads, statuses, gone_keys, seen = {}, {}, {}, {}, {}

	for i = 5, #arguments do
		if seen[arguments[i]] then fail('the same key twice') end
		seen[arguments[i]] = true
		list[i - 4] = arguments[i]
	end
	check_notify(notify)
	check_condition(condition, etags, #list)
	if is_there then heads = find(list) end
	begin_changes()
	for i = 1, #list do
		local head = heads[i]
		local live = head and is_live(head) and head

		statuses[i] = live and '0' or '1'
		if not condition_holds(condition, etags, live) then
			statuses[i] = '2'
		elseif head then
			remove(list[i], head, live and 'deletes' or 'expirations')
			gone_keys[#gone_keys + 1] = list[i]
		end
	end
	if #gone_keys > 0 then
		flush()
		save()
		publish(notify, 'D', gone_keys)
	end
	return {OK, now, concat(statuses)}
end

local function clear(keys_of_call, arguments)
	local notify = arguments[2]
	local is_there = begin(keys_of_call, arguments[1])

	check_notify(notify)
	if not is_there then return {OK, now, 0} end
	local count = state.count
	call('UNLINK', keys[V], keys[H], keys[N], keys[F], keys[G], keys[J], keys[X],
		keys[L], keys[I])
	state.deletes = state.deletes + count
	state.count, state.size, state.used, state.frequency_sum = 0, 0, 0, 0
	state.over = 0
	state.has_lru = state.policy == LRU and 1 or 0
	state.has_fifo = state.policy == FIFO and 1 or 0
	state.in_force = state.policy
	state.building = 0
	state.cursor = ''
	state.next_theta, state.tuned_to = 0, 0
	state.classes = {}
	begin_changes()
	save()
	publish(notify, 'C', {})
	return {OK, now, count}
end

-- From where on, and up to where, keys begin with `prefix`, as ZRANGEBYLEX takes it.
local function range_of(prefix)
	local at = #prefix

	while at > 0 and byte(prefix, at) == 255 do at = at - 1 end
	return '[' .. prefix,
		at > 0 and '(' .. sub(prefix, 1, at - 1) .. char(byte(prefix, at) + 1)
			or '+'
end

local function clear_prefix(keys_of_call, arguments)
	local notify, prefix, after = arguments[2], arguments[3], arguments[4]
	local is_there = begin(keys_of_call, arguments[1])
	local from, to = range_of(prefix)

	check_notify(notify)
	if not is_there then return {OK, now, 0, '', 0} end
	local deletes = state.deletes
	if after ~= '' and after >= prefix then from = '(' .. after end
	begin_steps()
	begin_changes()
	local more = false
	repeat
		local list = call('ZRANGEBYLEX', keys[N], from, to, 'LIMIT', '0', GROUP)
		local heads = find(list)

		for i = 1, #list do
			remove(list[i], heads[i], is_live(heads[i]) and 'deletes' or 'expirations')
			after = list[i]
			more = step_is_over()
			if more then break end
		end
		flush()
		from = '(' .. after
	until more or #list < GROUP
	save()
	if not more then publish(notify, 'P', {prefix}) end
	return {OK, now, more and 1 or 0, after, state.deletes - deletes}
end
