-- ---- Set ----

local function condition_holds(kind, etags, head)
	if kind == '' then return true end
	if kind == 'absent' then return not head end
	if kind == 'present' then return head and true end
	local is_one = false
	for i = 1, head and #etags or 0, 16 do
		is_one = is_one or sub(etags, i, i + 15) == head.etag
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

local ITEM_ARGUMENTS = 6

-- The items of a set from the arguments behind `first`; a list of their keys too.
local function read_items(arguments, first)
	local items, list, seen = {}, {}, {}

	if (#arguments - first + 1) % ITEM_ARGUMENTS ~= 0 then fail('items') end
	for at = first, #arguments, ITEM_ARGUMENTS do
		local key, static, value = arguments[at], arguments[at + 1], arguments[at + 2]

		if #static < 18 or byte(static, 18) ~= #static - 18 then fail('static') end
		if seen[key] then fail('the same key twice') end
		seen[key] = true
		local size = max(number(arguments[at + 3], 0, MAX_NUMBER, 'size'), #value)
		local history = arguments[at + 5]
		items[#items + 1] = {key = key, static = static, value = value, size = size,
			used = #key + #static - 18 + size + OVERHEAD,
			ttl = number(arguments[at + 4], -1, MAX_NUMBER / US, 'ttl'),
			history = history ~= '' and read_history(history)}
		list[#list + 1] = key
	end
	return items, list
end

-- What the items would change in the accounts. `kept` and `added`: without what is replaced but has
-- expired for good, as it must not matter whether that was swept before.
local function measure(items, heads)
	local growth = {used = 0, replaced = 0, count = 0, kept = 0, added = 0}

	for i = 1, #items do
		local head = heads[i]

		growth.used = growth.used + items[i].used
		if head then growth.replaced = growth.replaced + head.used
		else growth.count = growth.count + 1 end
		if head and is_kept(head) then growth.kept = growth.kept + head.used
		else growth.added = growth.added + 1 end
	end
	growth.too_big = state.used - growth.replaced > max_used() - growth.used
	growth.too_many = state.count > max_count() - growth.count
	if state.policy == NONE then
		growth.too_big = growth.too_big and growth.used > growth.kept
		growth.too_many = growth.too_many and growth.added > 0
	end
	return growth
end

-- Makes room for the items. OK, FULL, or MORE; and the heads as they are then.
local function make_room(items, list, heads, growth)
	local count_before = state.count
	local is_swept = sweep()

	if state.count < count_before then heads = find(list) end
	growth = measure(items, heads)
	if not growth.too_big and not growth.too_many then return OK, heads end
	if not is_swept then return MORE end
	if state.policy == NONE then return FULL end
	local spared = {}
	for i = 1, #list do spared[list[i]] = true end
	if growth.too_big then state.over = 1 end
	local done = evict({
		used = (growth.too_big and low_water() or huge) - growth.used + growth.replaced,
		count = max_count() - growth.count}, spared)
	if done then
		state.over = 0
		return OK, heads
	end
	growth = measure(items, heads)
	if growth.too_big or growth.too_many then return MORE end
	return OK, heads -- the way down to the low water goes on with `work`
end

local function store_item(item, old, order_us)
	local history = item.history
	local goes_on = old and is_live(old) and not history
	local ttl = item.ttl < 0 and state.ttl or item.ttl
	local head = {frequency = 1, last = order_us, used = item.used, size = item.size,
		expires = ttl > 0 and now + ttl * US or 0, etag = sub(item.static, 1, 16)}

	if history then
		if history.frequency > 0 then head.frequency = history.frequency end
		if history.last > 0 and history.last < now then
			head.last = order_of_past(history.last)
		end
		if history.created > 0 and history.created < now then
			head.stamp = order_of_past(history.created)
		end
		if history.expires >= 0 then head.expires = history.expires end
	end
	if goes_on then
		head.frequency = min(old.frequency + 1, MAX_FREQUENCY)
		head.stamp = old.stamp
	end
	if not head.stamp then head.stamp = take_stamp() end
	if old and not is_live(old) then state.expirations = state.expirations + 1 end
	put(item.key, old, head,
		pack('<i8i8i8', now, head.expires, item.size) .. item.static .. item.value)
end

-- The later of several is the more recent.
local function store(items, heads)
	for i = 1, #items do
		store_item(items[i], heads[i], order)
		if i < #items then order = order + 1 end
	end
	state.latest = max(state.latest, #items > 1 and order + 1 or order)
	state.sets = state.sets + #items
end

-- Capacity 0: nothing is stored, and what was there before is not to be served on.
local function store_nothing(items, heads)
	for i = 1, #items do
		if heads[i] then
			remove(items[i].key, heads[i],
				is_live(heads[i]) and 'evictions' or 'expirations')
		end
	end
end

local function set_items(items, list, condition, etags)
	local heads = find(list)
	local live = heads[1] and is_live(heads[1]) and heads[1]

	if not condition_holds(condition, etags, live) then return REFUSED, heads end
	if state.capacity == 0 then
		local before = {}

		for i = 1, #list do before[i] = heads[i] end
		store_nothing(items, heads)
		flush()
		return OK, before
	end
	local growth = measure(items, heads)
	if growth.used > max_used() then return TOO_LARGE, heads end
	if #items > max_count() then return TOO_MANY, heads end
	if growth.too_big or growth.too_many then
		local code

		code, heads = make_room(items, list, heads, growth)
		if code ~= OK then return code, heads end
	end
	store(items, heads)
	flush()
	return OK, heads
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

local function set(keys_of_call, arguments)
	local notify, condition, etags = arguments[4], arguments[5], arguments[6]
	local is_there = begin(keys_of_call, arguments[1])
	local items, list = read_items(arguments, 7)

	check_notify(notify)
	check_condition(condition, etags, #items)
	read_defaults(arguments[2])
	if not is_there then
		if arguments[3] ~= '1' then return {ABSENT, now} end
		create()
	end
	begin_steps(#items)
	begin_changes()
	adopt(arguments[2])
	settle_policy()
	read_order_clock()
	local code, heads = set_items(items, list, condition, etags)
	local stored = state.capacity == 0 and 0 or 1
	local created = {}
	if code == OK then
		for i = 1, #items do
			created[i] = heads[i] and is_live(heads[i]) and '0' or '1'
		end
	end
	save()
	if code == OK then
		end_leases(list)
		publish(notify, 'W', list)
	end
	return {code, now, is_pending() and 1 or 0, state.ttl, concat(created), stored}
end

-- ---- Uses ----

local last_reading -- of the uses of the call so far

-- By hand, and not with leave_orders and enter_orders: hits are the most frequent of all.
local function count_uses(list, uses)
	local heads = call('HMGET', keys[H], unpack(list))
	local count, classes = 0, {}
	local gone_f, added_f, gone_l, added_l, added_h, added_g = {}, {}, {}, {}, {}, {}

	for i = 1, #list do
		local text, key = heads[i], list[i]

		if text then
			local frequency, last, stamp = unpack_struct('<I4i8i8', text)
			local risen = min(frequency + uses[i].count, MAX_FREQUENCY)
			local reading = max(order - uses[i].age, last_reading + 1)
			local later = max(last, reading)
			local member = pack('>I4I7I7', frequency, last, stamp) .. key
			local new_member = pack('>I4I7I7', risen, later, stamp) .. key

			last_reading = reading
			state.frequency_sum = state.frequency_sum + risen - frequency
			count = count + 1
			gone_f[count], gone_l[count] = member, sub(member, 5)
			added_f[2 * count - 1], added_f[2 * count] = 0, new_member
			added_l[2 * count - 1], added_l[2 * count] = 0, sub(new_member, 5)
			added_h[2 * count - 1] = key
			added_h[2 * count] = pack('<I4i8', risen, later) .. sub(text, 13)
			if not classes[risen] or later < classes[risen] then
				classes[risen] = later
				added_g[#added_g + 1] = crossing_ms(risen, later)
				added_g[#added_g + 1] = risen
			end
		end
	end
	if count == 0 then return end
	state.latest = max(state.latest, last_reading)
	write('ZREM', F, gone_f)
	write('HSET', H, added_h)
	write('ZADD', F, added_f)
	call('ZADD', keys[G], 'LT', unpack(added_g))
	if state.has_lru == 1 then
		write('ZREM', L, gone_l)
		write('ZADD', L, added_l)
	end
end

local function use(keys_of_call, arguments)
	local is_there = begin(keys_of_call, arguments[1])
	local hits = number(arguments[2], 0, MAX_NUMBER, 'hits')
	local misses = number(arguments[3], 0, MAX_NUMBER, 'misses')
	local stale_hits = number(arguments[4], 0, MAX_NUMBER, 'stale hits')
	local list, uses, at_key = {}, {}, {}

	if (#arguments - 4) % 3 ~= 0 then fail('uses') end
	for at = 5, #arguments, 3 do
		local key = arguments[at]
		local count = number(arguments[at + 1], 1, MAX_NUMBER, 'count')
		local age = number(arguments[at + 2], 0, MAX_NUMBER, 'age')
		local same = uses[at_key[key]]

		if same then
			same.count = same.count + count
			same.age = min(same.age, age)
		else
			list[#list + 1] = key
			uses[#list] = {count = count, age = age}
			at_key[key] = #list
		end
	end
	if not is_there then return {ABSENT, now} end
	read_order_clock()
	last_reading = 0
	for first = 1, #list, GROUP do
		local some, of_some = {}, {}

		for i = first, min(first + GROUP - 1, #list) do
			some[#some + 1] = list[i]
			of_some[#some] = uses[i]
		end
		count_uses(some, of_some)
	end
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
	call('UNLINK', keys[V], keys[H], keys[N], keys[F], keys[G], keys[X], keys[L], keys[I])
	state.deletes = state.deletes + count
	state.count, state.size, state.used, state.frequency_sum = 0, 0, 0, 0
	state.over = 0
	state.has_lru = state.policy == LRU and 1 or 0
	state.has_fifo = state.policy == FIFO and 1 or 0
	state.in_force = state.policy
	state.building = 0
	state.cursor = ''
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
		local list = call('ZRANGEBYLEX', keys[N], from, to, 'LIMIT', 0, GROUP)
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
