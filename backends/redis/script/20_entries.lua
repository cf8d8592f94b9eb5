-- ---- Heads ----

local HEAD = '<I4i8i8i8i8i8'

local function read_head(text)
	local frequency, last, stamp, expires, used, size, rest = unpack_struct(HEAD, text)

	return {frequency = frequency, last = last, stamp = stamp, expires = expires, used = used,
		size = size, etag = sub(text, rest)}
end

local function write_head(head)
	return pack(HEAD, head.frequency, head.last, head.stamp, head.expires, head.used, head.size)
		.. head.etag
end

local function is_live(head)
	return head.expires == 0 or head.expires > now
end

local function is_kept(head)
	return head.expires == 0 or head.expires + state.stale * US > now
end

-- The heads of `list`; false where there is none.
local function find(list)
	local heads = {}

	for first = 1, #list, 1000 do
		local last = min(first + 999, #list)
		local found = call('HMGET', keys[H], unpack(list, first, last))

		for i = 1, #found do
			heads[first + i - 1] = found[i] and read_head(found[i])
		end
	end
	return heads
end

-- ---- Changes, written in groups ----

-- Lists of arguments; what is removed is written before what is added. They are used again by the
-- next call, unless this one has failed.
local gone, added
local is_clean = false

local function begin_changes()
	if is_clean then return end
	gone = {keys = {}, f = {}, x = {}, l = {}, i = {}}
	added = {v = {}, h = {}, n = {}, f = {}, g = {}, x = {}, l = {}, i = {}, count = 0}
	is_clean = true
end

local function write(command, key, list)
	if #list == 0 then return list end
	call(command, keys[key], unpack(list))
	return {}
end

local function flush()
	is_clean = false
	if #gone.f > 0 then
		-- HDEL first: a server that is out of memory takes it.
		if #gone.keys > 0 then
			call('HDEL', keys[H], unpack(gone.keys))
			call('HDEL', keys[V], unpack(gone.keys))
			gone.keys = write('ZREM', N, gone.keys)
		end
		gone.f = write('ZREM', F, gone.f)
		gone.x = write('ZREM', X, gone.x)
		gone.l = write('ZREM', L, gone.l)
		gone.i = write('ZREM', I, gone.i)
	end
	if added.count > 0 then
		added.v = write('HSET', V, added.v)
		added.h = write('HSET', H, added.h)
		added.n = write('ZADD', N, added.n)
		added.f = write('ZADD', F, added.f)
		call('ZADD', keys[G], 'LT', unpack(added.g))
		added.g = {}
		added.x = write('ZADD', X, added.x)
		added.l = write('ZADD', L, added.l)
		added.i = write('ZADD', I, added.i)
		added.count = 0
	end
	is_clean = true
end

local function append(list, a, b)
	is_clean = false
	local at = #list + 1

	list[at] = a
	if b then list[at + 1] = b end
end

local function member_of_frecency(key, head)
	return pack('>I4I7I7', head.frequency, head.last, head.stamp) .. key
end

-- The millisecond from which on the head of a class scores less than theta; never too late.
local function crossing_ms(frequency, last)
	local moment = floor(last / 1000) + frequency * 1000 / state.theta

	return floor(moment - moment * 1e-12) - 1
end

local function leave_orders(key, head)
	append(gone.f, member_of_frecency(key, head))
	if state.has_lru == 1 then append(gone.l, pack('>I7I7', head.last, head.stamp) .. key) end
	if state.has_fifo == 1 then append(gone.i, pack('>I7', head.stamp) .. key) end
	state.frequency_sum = state.frequency_sum - head.frequency
end

local function enter_orders(key, head)
	append(added.f, 0, member_of_frecency(key, head))
	append(added.g, crossing_ms(head.frequency, head.last), head.frequency)
	if state.has_lru == 1 then
		append(added.l, 0, pack('>I7I7', head.last, head.stamp) .. key)
	end
	if state.has_fifo == 1 then append(added.i, 0, pack('>I7', head.stamp) .. key) end
	state.frequency_sum = state.frequency_sum + head.frequency
	append(added.h, key, write_head(head))
	added.count = added.count + 1
end

-- Takes an entry out, and counts it in `counter`.
local function remove(key, head, counter)
	append(gone.keys, key)
	if head.expires > 0 then append(gone.x, key) end
	leave_orders(key, head)
	state.count = state.count - 1
	state.size = state.size - head.size
	state.used = state.used - head.used
	state[counter] = state[counter] + 1
	if #gone.keys >= GROUP then flush() end
end

-- Puts `head` in the place of `old` (false: there is none).
local function put(key, old, head, value)
	if old then
		leave_orders(key, old)
		state.size = state.size - old.size
		state.used = state.used - old.used
		if old.expires > 0 and head.expires == 0 then append(gone.x, key) end
	else
		append(added.n, 0, key)
		state.count = state.count + 1
	end
	append(added.v, key, value)
	enter_orders(key, head)
	if head.expires > 0 then append(added.x, head.expires, key) end
	state.size = state.size + head.size
	state.used = state.used + head.used
	if added.count >= GROUP then flush() end
end

local function take_stamp()
	state.last_stamp = max(order, state.last_stamp + 1)
	return state.last_stamp
end
