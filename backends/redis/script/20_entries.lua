-- ---- Heads ----

local ORDER = '>I4I7I7'       -- what a head begins with: its place in key f, before the key
local ACCOUNTS = '<i8i8i8'    -- then expires, used, size; then the etag
local ORDER_BYTES = 18

-- Whether nobody has used the entry for so long that it is over.
local function is_idle(head)
	if not state or state.idle == 0 then return false end
	local _, last = unpack_struct(ORDER, head)

	return last + state.idle * US <= now + state.ahead
end

local function is_live(head)
	local expires = unpack_struct('<i8', head, ORDER_BYTES + 1)

	return (expires == 0 or expires > now) and not is_idle(head)
end

local function etag_of(head)
	return sub(head, -16)
end

-- The heads of `list`; false where there is none.
local function find(list)
	local heads

	if #list == 1 then return {call('HGET', keys[H], list[1])} end
	if #list <= 1000 then return #list > 0 and call('HMGET', keys[H], unpack(list)) or {} end
	heads = {}
	for first = 1, #list, 1000 do
		local found = call('HMGET', keys[H], unpack(list, first, min(first + 999, #list)))

		for i = 1, #found do heads[first + i - 1] = found[i] end
	end
	return heads
end

-- ---- Changes, written in groups ----

-- Lists of arguments of commands. `gone` is of entries that are taken out; its lists are empty
-- between calls, or made anew if a call has failed. Those of `changes`, of entries that are put in,
-- keep what they had: whoever fills them knows how long they are.
local gone
local changes = {v = {}, h = {}, n = {}, f = {}, x = {}, l = {}, i = {}, frequency = {}, last = {},
	gone_f = {}, gone_x = {}, gone_l = {}, gone_i = {}}

local function begin_changes()
	if not is_clean then gone = {keys = {}, f = {}, x = {}, l = {}, i = {}} end
	is_clean = false
end

local PIECE = 512 -- arguments of one command, an even number

local function write(command, key, list, count)
	if count == 1 then
		call(command, keys[key], list[1])
	elseif count == 2 then
		call(command, keys[key], list[1], list[2])
	else
		for first = 1, count, PIECE do
			call(command, keys[key],
				unpack(list, first, min(first + PIECE - 1, count)))
		end
	end
end

local function empty(command, key, list)
	local count = #list

	write(command, key, list, count)
	for i = count, 1, -1 do list[i] = nil end
end

local function append(list, a)
	list[#list + 1] = a
end

local function append_pair(list, a, b)
	local at = #list

	list[at + 1], list[at + 2] = a, b
end

-- Writes what is taken out.
local function flush()
	if #gone.f == 0 then return end
	-- HDEL first: a server that is out of memory takes it.
	if #gone.keys > 0 then
		call('HDEL', keys[H], unpack(gone.keys))
		call('HDEL', keys[V], unpack(gone.keys))
		empty('ZREM', N, gone.keys)
	end
	empty('ZREM', F, gone.f)
	empty('ZREM', X, gone.x)
	empty('ZREM', L, gone.l)
	empty('ZREM', I, gone.i)
end

-- The millisecond from which on the head of a class scores less than theta; never too late.
local function crossing_ms(frequency, last, theta)
	local moment = floor(last / 1000) + frequency * 1000 / theta

	return format('%.0f', floor(moment - moment * 1e-12) - 1)
end

-- Sees to it that key g has the classes of entries that were put in.
local function enter_classes(frequencies, lasts, count)
	local known, list, tuning = state.classes, nil, nil

	for i = 1, count do
		local frequency, last = frequencies[i], lasts[i]
		local before = known[frequency]

		if not before or last < before then
			list = list or {}
			append_pair(list, crossing_ms(frequency, last, state.theta), frequency)
			known[frequency] = last
			if state.next_theta > 0 then
				tuning = tuning or {}
				append_pair(tuning, crossing_ms(frequency, last, state.next_theta),
					frequency)
			end
		end
	end
	for first = 1, list and #list or 0, PIECE do
		local beyond = min(first + PIECE - 1, #list)

		call('ZADD', keys[G], 'LT', unpack(list, first, beyond))
		if tuning then call('ZADD', keys[J], 'LT', unpack(tuning, first, beyond)) end
	end
end

-- Takes an entry out, and counts it in `counter`.
local function remove(key, head, counter)
	local frequency = unpack_struct('>I4', head)
	local expires, used, size = unpack_struct(ACCOUNTS, head, ORDER_BYTES + 1)
	local member = sub(head, 1, ORDER_BYTES) .. key

	append(gone.keys, key)
	append(gone.f, member)
	if expires > 0 then append(gone.x, key) end
	if state.has_lru == 1 then append(gone.l, sub(member, 5)) end
	if state.has_fifo == 1 then append(gone.i, sub(member, 12)) end
	state.frequency_sum = state.frequency_sum - frequency
	state.count = state.count - 1
	state.size = state.size - size
	state.used = state.used - used
	state[counter] = state[counter] + 1
	if #gone.keys >= GROUP then flush() end
end
