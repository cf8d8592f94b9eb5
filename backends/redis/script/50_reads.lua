-- ---- Listings and statistics ----

local LOOKED_AT = 500 -- entries, live or not, that one page looks at

local function list(keys_of_call, arguments)
	local prefix, has_after, after = arguments[2], arguments[3] == '1', arguments[4]
	local is_there = begin(keys_of_call, arguments[1])
	local limit = number(arguments[5], 1, MAX_NUMBER, 'limit')
	local key_bytes = number(arguments[6], 0, MAX_NUMBER, 'max_key_bytes')
	local from, to = range_of(prefix)

	if not is_there then return {OK, now, 0, ''} end
	-- '[' .. prefix is from, so a place in front of it is none.
	if has_after and '[' .. after >= from then from = '(' .. after end
	if key_bytes == 0 then key_bytes = huge end
	limit = min(limit, LOOKED_AT - 1)
	local page = {OK, now, 0, after}
	local looked_at, told, bytes = 0, 0, 0
	while true do
		local some = call('ZRANGEBYLEX', keys[N], from, to, 'LIMIT', 0,
			min(max(limit - told, 0), 128) + 1)
		local heads = #some > 0 and call('HMGET', keys[H], unpack(some))

		for i = 1, #some do
			local text = heads[i]
			local frequency, last, stamp = unpack_struct(ORDER, text)
			local live = is_live(text)

			if looked_at >= LOOKED_AT or
				live and (told >= limit or bytes >= key_bytes) then
				page[3] = 1
				return page
			end
			looked_at = looked_at + 1
			page[4] = some[i]
			if live then
				if state.ahead > 0 or last > now or stamp > now then
					text = pack(ORDER, frequency, order_to_wall(last),
						order_to_wall(stamp)) .. sub(text, ORDER_BYTES + 1)
				end
				page[#page + 1] = some[i]
				page[#page + 1] = text
				told = told + 1
				bytes = bytes + #some[i]
			end
		end
		if #some == 0 then return page end
		from = '(' .. some[#some]
	end
end

local function stats(keys_of_call, arguments)
	local is_there = begin(keys_of_call, arguments[1])

	read_defaults(arguments[2])
	if not is_there then return {ABSENT, now} end
	adopt(arguments[2])
	local told = {OK, now}
	for i = 1, #STATS do told[#told + 1] = state[STATS[i]] end
	local last = call('ZREVRANGE', keys[F], 0, 0)[1]
	told[#told + 1] = last and unpack_struct('>I4', last) or 0
	told[#told + 1] = is_pending() and 1 or 0
	return told
end

-- ---- Settings, and work in the background ----

local function configure(keys_of_call, arguments)
	local is_there = begin(keys_of_call, arguments[1])
	local mask = number(arguments[4], 0, 255, 'mask')
	local wanted = {
		max_size = number(arguments[5], 0, MAX_NUMBER, 'max_size'),
		capacity = number(arguments[6], -1, MAX_NUMBER, 'capacity'),
		ttl = number(arguments[7], 0, MAX_NUMBER / US, 'ttl'),
		policy = number(arguments[8], 0, 3, 'policy'),
		stale = number(arguments[9], 0, MAX_NUMBER / US, 'stale'),
		idle = number(arguments[10], 0, 4294967295, 'idle'),
		compression = number(arguments[11], 0, 3, 'compression'),
		put_status = number(arguments[12], 0, 1023, 'put_status'),
	}
	local bits = {max_size = 1, capacity = 2, ttl = 4, policy = 8, stale = 16, idle = 32,
		compression = 64, put_status = 128}

	read_defaults(arguments[2])
	if not is_there then
		if arguments[3] ~= '1' then return {ABSENT, now} end
		create()
	end
	begin_changes()
	begin_steps()
	adopt(arguments[2])
	for name, bit in pairs(bits) do
		if mask % (2 * bit) >= bit then
			state[name] = wanted[name]
			if state.mask % (2 * bit) < bit then state.mask = state.mask + bit end
		end
	end
	settle_policy()
	local done = build_order()
	if done then
		read_order_clock()
		shrink()
	end
	save()
	return {OK, now, is_pending() and 1 or 0}
end

local work
do -- a main chunk has 200 locals at most
-- How long a lease that lapsed stays: most are taken again, or a value comes.
local LAPSED_US = 60 * US

-- Whether none is left to sweep now, and when the next will be (0: there is none).
local function sweep_leases()
	local list = call('ZRANGEBYSCORE', keys[T], '-inf', now - LAPSED_US, 'LIMIT', 0, GROUP)

	if #list > 0 then
		call('HDEL', keys[W], unpack(list))
		call('ZREM', keys[T], unpack(list))
	end
	local first = call('ZRANGE', keys[T], 0, 0, 'WITHSCORES')
	return #list < GROUP, first[2] and first[2] + LAPSED_US or 0
end

-- When the next one is idle that nobody uses before; 0: none will be, or it is not known yet.
local function next_idle()
	if state.idle == 0 or not is_complete(LRU) then return 0 end
	local first = call('ZRANGE', keys[L], 0, 0)[1]

	return first and unpack_struct('>I7', first) - state.ahead + state.idle * US or 0
end

-- Of times of which 0 is none.
local function earlier(a, b)
	if a == 0 or b == 0 then return a + b end
	return min(a, b)
end

function work(keys_of_call, arguments)
	local is_there = begin(keys_of_call, arguments[1])

	read_defaults(arguments[2])
	local done, next_lease = sweep_leases()
	if not is_there then return {ABSENT, now, done and 0 or 1, next_lease, 0, 0} end
	begin_changes()
	begin_steps()
	adopt(arguments[2])
	settle_policy()
	read_order_clock()
	done = sweep() and build_order() and sweep_idle() and shrink() and done
	save()
	local first = call('ZRANGE', keys[X], 0, 0, 'WITHSCORES')
	local next_us = earlier(first[2] and first[2] + state.stale * US or 0, next_lease)
	return {OK, now, done and 0 or 1, earlier(next_us, next_idle()), state.stale, state.idle}
end
end

-- ---- Leases ----

local lease_take, lease_end
do
local function read_lease(key)
	local text = call('HGET', keys[W], key)

	if not text then return 0, nil end
	local until_us, rest = unpack_struct('<i8', text)
	return until_us, sub(text, rest)
end

function lease_take(keys_of_call, arguments)
	local key, token = arguments[2], arguments[3]
	local ttl = number(arguments[4], token == '' and 0 or 1, 3600 * US, 'ttl')

	begin(keys_of_call, arguments[1])
	local head = find({key})[1]
	if head and is_live(head) then return {FRESH, now, 0} end
	local until_us, holder = read_lease(key)
	if holder and until_us > now and holder ~= token then return {HELD, now, until_us} end
	if token == '' then return {OK, now, 0} end
	until_us = now + ttl
	call('HSET', keys[W], key, pack('<i8', until_us) .. token)
	call('ZADD', keys[T], until_us, key)
	return {OK, now, until_us}
end

function lease_end(keys_of_call, arguments)
	local key, token, notify, word = arguments[2], arguments[3], arguments[4], arguments[5]

	begin_clock(keys_of_call, arguments[1])
	check_notify(notify)
	local until_us, holder = read_lease(key)
	if holder ~= token or until_us <= now then return {LOST, now} end
	call('HDEL', keys[W], key)
	call('ZREM', keys[T], key)
	publish(notify, 'L', {key, word})
	return {OK, now}
end
end

-- ---- Names of namespaces ----

local function name(keys_of_call, arguments)
	local wanted, at_most = arguments[1], number(arguments[2], 0, MAX_NUMBER, 'max')

	if #keys_of_call ~= 1 or not match(wanted, '^[%w_][%w_.-]*$') or #wanted > 64 then
		fail('name')
	end
	if call('ZSCORE', keys_of_call[1], wanted) then return {OK} end
	if at_most > 0 and call('ZCARD', keys_of_call[1]) >= at_most then return {TOO_MANY} end
	call('ZADD', keys_of_call[1], 0, wanted)
	return {CREATED}
end
