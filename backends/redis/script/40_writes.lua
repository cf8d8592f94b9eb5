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

-- A set takes what the front took for its time, if that is near; else the engine's.
local NEAR_US = 100000

-- What the items of a set change in the accounts; their arguments of commands are in `changes`,
-- under lengths that are here, too. `kept` and `added`: without what is replaced but has expired
-- for good, as it must not matter whether that was swept before. `peak_...`: the most at any time,
-- if one is set after the other.
local growth = {}

-- The places of `history` in the orders, and when it expires; nil: as without it.
local function apply_history(history)
	local last = history.last > 0 and history.last < now and order_of_past(history.last)
	local stamp = history.created > 0 and history.created < now
		and order_of_past(history.created)

	return history.frequency > 0 and history.frequency or 1, last or nil, stamp or nil,
		history.expires >= 0 and history.expires or nil
end

-- Plans the items number `from` to `to`, of which the arguments begin at `first`; heads: of all.
-- Of a batch the later is the more recent; sets that are `apart` happen at the same time.
local function plan(arguments, first, list, heads, from, to, apart)
	local g, c, s = growth, changes, state
	local has_lru, has_fifo = s.has_lru == 1, s.has_fifo == 1
	local v, h, f, n, gone_f = c.v, c.h, c.f, c.n, c.gone_f
	local used_sum, size_sum, frequency_sum, replaced, kept, expirations = 0, 0, 0, 0, 0, 0
	local items, new, old, expiring, endless, added = 0, 0, 0, 0, 0, 0
	local peak_used, peak_count = 0, 0
	local last_stamp, reading, first_expiry = s.last_stamp, order, huge

	for i = from, to do
		local key, at, head = list[i], first + ITEM_ARGUMENTS * (i - 1), heads[i]
		local text, ttl, history = arguments[at + 1], arguments[at + 2], arguments[at + 3]
		local frequency, last, stamp, expires = 1, reading, nil, 0

		if #text < 42 then fail('text') end
		local modified, expires_told, size = unpack_struct('<i8i8i8', text)
		local flags, head_at, head_length = byte(text, 41), 42, byte(text, 42)
		local is_reference = flags % 8 >= 4
		if flags % 64 >= 32 then
			if #text < 44 then fail('text') end
			is_reference = flags % 128 >= 64
			head_at, head_length = 44, unpack_struct('<I2', text, 43)
		end
		-- That of a reference is the size of what it stands for.
		local least = is_reference and 0 or #text - head_at - head_length
		if size < least or size > MAX_NUMBER or #text < head_at + head_length
		then
			fail('size')
		end
		local moment = modified
		if modified < now - NEAR_US or modified > now + NEAR_US then moment = now end
		if ttl == '-1' then
			ttl = s.ttl
		elseif ttl == '0' then
			ttl = 0
		else
			ttl = number(ttl, 0, MAX_NUMBER / US, 'ttl')
		end
		if ttl > 0 then expires = moment + ttl * US end
		if history ~= '' then
			local a, b

			frequency, a, stamp, b = apply_history(read_history(history))
			last, expires = a or last, b or expires
		end
		items = items + 1
		if head then
			local old_frequency, _, old_stamp = unpack_struct(ORDER, head)
			local old_expires, old_used, old_size =
				unpack_struct(ACCOUNTS, head, ORDER_BYTES + 1)
			local member = sub(head, 1, ORDER_BYTES) .. key

			local idle = is_idle(head)

			old = old + 1
			gone_f[old] = member
			if has_lru then c.gone_l[old] = sub(member, 5) end
			if has_fifo then c.gone_i[old] = sub(member, 12) end
			if idle or old_expires > 0 and old_expires <= now then
				expirations = expirations + 1
			elseif history == '' then
				frequency = min(old_frequency + 1, MAX_FREQUENCY)
				stamp = old_stamp
			end
			if idle or old_expires > 0 and old_expires + s.stale * US <= now then
				added = added + 1
			else
				kept = kept + old_used
			end
			if old_expires > 0 and expires == 0 then
				endless = endless + 1
				c.gone_x[endless] = key
			end
			replaced = replaced + old_used
			size_sum = size_sum - old_size
			frequency_sum = frequency_sum - old_frequency
		else
			new = new + 1
			added = added + 1
			n[2 * new - 1], n[2 * new] = '0', key
		end
		if not stamp then
			stamp = max(reading, last_stamp + 1)
			last_stamp = stamp
		end
		local used = #key + head_length + size + OVERHEAD
		used_sum = used_sum + used
		size_sum = size_sum + size
		frequency_sum = frequency_sum + frequency
		if moment ~= modified or expires ~= expires_told then
			text = pack('<i8i8', moment, expires) .. sub(text, 17)
		end
		local place = pack(ORDER, frequency, last, stamp)
		local member = place .. key
		at = 2 * items
		v[at - 1], v[at] = key, text
		h[at - 1] = key
		h[at] = place .. pack(ACCOUNTS, expires, used, size) .. sub(text, 25, 40)
		f[at - 1], f[at] = '0', member
		c.frequency[items], c.last[items] = frequency, last
		if has_lru then c.l[at - 1], c.l[at] = '0', sub(member, 5) end
		if has_fifo then c.i[at - 1], c.i[at] = '0', sub(member, 12) end
		if expires > 0 then
			expiring = expiring + 1
			c.x[2 * expiring - 1] = format('%.0f', expires)
			c.x[2 * expiring] = key
			if expires < first_expiry then first_expiry = expires end
		end
		if apart then
			peak_used = max(peak_used, used_sum - replaced)
			peak_count = max(peak_count, new)
		elseif i < to then
			reading = reading + 1
		end
	end
	g.items, g.new, g.old, g.expiring, g.endless = items, new, old, expiring, endless
	g.used, g.replaced, g.kept, g.size = used_sum, replaced, kept, size_sum
	g.added, g.frequency, g.expirations = added, frequency_sum, expirations
	g.peak_used, g.peak_count = peak_used, peak_count
	g.last_stamp, g.first_expiry = last_stamp, first_expiry
	g.latest = not apart and items > 1 and reading + 1 or reading
end

local function measure()
	local g = growth

	g.too_big = state.used - g.replaced > max_used() - g.used
	g.too_many = state.count > max_count() - g.new
	if state.policy == NONE then
		g.too_big = g.too_big and g.used > g.kept
		g.too_many = g.too_many and g.added > 0
	end
end

-- Does what is planned.
local function commit()
	local g, c, s = growth, changes, state
	local items, new, old = g.items, g.new, g.old

	if old > 0 then
		write('ZREM', F, c.gone_f, old)
		if g.endless > 0 then write('ZREM', X, c.gone_x, g.endless) end
		if s.has_lru == 1 then write('ZREM', L, c.gone_l, old) end
		if s.has_fifo == 1 then write('ZREM', I, c.gone_i, old) end
	end
	write('HSET', V, c.v, 2 * items)
	write('HSET', H, c.h, 2 * items)
	if new > 0 then write('ZADD', N, c.n, 2 * new) end
	write('ZADD', F, c.f, 2 * items)
	enter_classes(c.frequency, c.last, items)
	if g.expiring > 0 then write('ZADD', X, c.x, 2 * g.expiring) end
	if s.has_lru == 1 then write('ZADD', L, c.l, 2 * items) end
	if s.has_fifo == 1 then write('ZADD', I, c.i, 2 * items) end
	for i = 2, 2 * items, 2 do c.v[i] = nil end -- values may be large
	s.count = s.count + new
	s.used = s.used + g.used - g.replaced
	s.size = s.size + g.size
	s.frequency_sum = s.frequency_sum + g.frequency
	s.expirations = s.expirations + g.expirations
	s.last_stamp = g.last_stamp
	s.sets = s.sets + items
	if g.latest > s.latest then s.latest = g.latest end
	if s.first_expiry and g.first_expiry < s.first_expiry then
		s.first_expiry = g.first_expiry
	end
end

-- Makes room for what is planned, which is planned again if something of it was swept. OK, FULL, or
-- MORE.
local function make_room(arguments, first, list, heads, from, to)
	local count_before = state.count
	local is_swept = sweep()

	if state.count < count_before then
		local found = find(list)

		for i = 1, #list do heads[i] = found[i] end
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
		count = max_count() - g.new}, spared)
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
	if code == OK then commit() end
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

-- Hits are the most frequent of all: no work is done here that can be left out.
local USES_MAX = 1000

-- numbers: u32 count and u32 age for each of the keys, which are the arguments from `first` on.
local function count_uses(arguments, first, numbers)
	local heads = find({unpack(arguments, first)})
	local c, has_lru = changes, state.has_lru == 1
	local h, f, gone_f, frequencies, lasts = c.h, c.f, c.gone_f, c.frequency, c.last
	local sum, last_reading, count, seen = 0, 0, 0, {}

	for i = 1, #numbers / 8 do
		local head, key = heads[i], arguments[first + i - 1]

		if seen[key] then fail('the same key twice') end
		seen[key] = true
		if head then
			local uses, age = unpack_struct('<I4I4', numbers, 8 * i - 7)
			local frequency, last, stamp = unpack_struct(ORDER, head)
			local reading = order - age

			if reading <= last_reading then reading = last_reading + 1 end
			last_reading = reading
			if last < reading then last = reading end
			sum = sum - frequency
			frequency = frequency + uses
			if frequency > MAX_FREQUENCY then frequency = MAX_FREQUENCY end
			sum = sum + frequency
			local place = pack(ORDER, frequency, last, stamp)
			local before, after = sub(head, 1, ORDER_BYTES) .. key, place .. key
			count = count + 1
			local at = 2 * count
			gone_f[count] = before
			f[at - 1], f[at] = '0', after
			h[at - 1], h[at] = key, place .. sub(head, ORDER_BYTES + 1)
			frequencies[count], lasts[count] = frequency, last
			if has_lru then
				c.gone_l[count] = sub(before, 5)
				c.l[at - 1], c.l[at] = '0', sub(after, 5)
			end
		end
	end
	state.frequency_sum = state.frequency_sum + sum
	state.latest = max(state.latest, last_reading)
	if count == 0 then return end
	write('ZREM', F, gone_f, count)
	write('HSET', H, h, 2 * count)
	write('ZADD', F, f, 2 * count)
	enter_classes(frequencies, lasts, count)
	if has_lru then
		write('ZREM', L, c.gone_l, count)
		write('ZADD', L, c.l, 2 * count)
	end
end

local function use(keys_of_call, arguments)
	local is_there = begin(keys_of_call, arguments[1])
	local hits = number(arguments[2], 0, MAX_NUMBER, 'hits')
	local misses = number(arguments[3], 0, MAX_NUMBER, 'misses')
	local stale_hits = number(arguments[4], 0, MAX_NUMBER, 'stale hits')
	local numbers = arguments[5]
	local count = #arguments - 5

	if #numbers ~= 8 * count or count > USES_MAX then fail('uses') end
	if not is_there then return {ABSENT, now} end
	begin_changes()
	read_order_clock()
	if count > 0 then count_uses(arguments, 6, numbers) end
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
	state.has_lru = wants_lru() and 1 or 0
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
