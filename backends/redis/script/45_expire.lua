-- ---- Another time to live, without the value ----

-- It changes no order: as far as these are concerned nobody was here.
local function expire(keys_of_call, arguments)
	local notify, condition, etags = arguments[3], arguments[4], arguments[5]
	local is_there = begin(keys_of_call, arguments[1])
	local list, ttls, statuses, done, seen = {}, {}, {}, {}, {}

	if #arguments % 2 ~= 1 then fail('items') end
	for at = 6, #arguments, 2 do
		local key = arguments[at]

		if seen[key] then fail('the same key twice') end
		seen[key] = true
		list[#list + 1] = key
		ttls[#ttls + 1] = number(arguments[at + 1], -1, MAX_NUMBER / US, 'ttl')
	end
	check_notify(notify)
	check_condition(condition, etags, #list)
	read_defaults(arguments[2])
	if is_there then adopt(arguments[2]) end
	local heads = is_there and find(list) or {}
	for i = 1, #list do
		local head = heads[i] and is_live(heads[i]) and heads[i]
		local text = head and call('HGET', keys[V], list[i])

		if not condition_holds(condition, etags, head) then
			statuses[i] = '2'
		elseif not text then
			statuses[i] = '1'
		else
			local ttl = ttls[i] == -1 and state.ttl or ttls[i]
			local expires = ttl > 0 and now + ttl * US or 0
			local told = pack('<i8', expires)

			statuses[i] = '0'
			done[#done + 1] = list[i]
			call('HSET', keys[V], list[i], sub(text, 1, 8) .. told .. sub(text, 17))
			call('HSET', keys[H], list[i], sub(head, 1, ORDER_BYTES) .. told
				.. sub(head, ORDER_BYTES + 9))
			if expires > 0 then
				call('ZADD', keys[X], format('%.0f', expires), list[i])
			elseif unpack_struct('<i8', head, ORDER_BYTES + 1) > 0 then
				call('ZREM', keys[X], list[i])
			end
		end
	end
	if done[1] then
		state.first_expiry = nil
		read_order_clock() -- so that the text of key m is another one
		begin_changes()
		save()
		publish(notify, 'W', done)
	end
	return {OK, now, concat(statuses)}
end

-- ---- The end of a namespace ----

local function drop(keys_of_call, arguments)
	local notify = arguments[2]
	local is_there = begin(keys_of_call, arguments[1])

	check_notify(notify)
	if is_alone then
		local names, ns = name_of()

		is_there = call('ZREM', names, ns) == 1 or is_there
	end
	if not is_there then return {ABSENT, now} end
	call('UNLINK', keys[M], keys[V], keys[H], keys[N], keys[F], keys[G], keys[J], keys[X],
		keys[L], keys[I])
	kept[keys[M]] = nil
	publish(notify, 'C', {})
	return {OK, now}
end
