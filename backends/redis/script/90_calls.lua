-- ---- The calls ----

-- Name, function, how many arguments there are at least, and flags of FUNCTION: what makes room, or
-- takes little, still works where memory is full.
local calls = {
	{'set', set, 6},
	{'set_each', set_each, 4},
	{'use', use, 5, 'allow-oom'},
	{'delete', delete, 4, 'allow-oom'},
	{'expire', expire, 5, 'allow-oom'},
	{'clear', clear, 2, 'allow-oom'},
	{'drop', drop, 2, 'allow-oom'},
	{'clear_prefix', clear_prefix, 4, 'allow-oom'},
	{'list', list, 6, 'no-writes'},
	{'stats', stats, 2, 'no-writes'},
	{'configure', configure, 12, 'allow-oom'},
	{'work', work, 2, 'allow-oom'},
	{'lease_take', lease_take, 4, 'allow-oom'},
	{'lease_end', lease_end, 5, 'allow-oom'},
	{'name', name, 2, 'allow-oom'},
}

local function run(chosen, keys_of_call, arguments)
	if #arguments < chosen[3] then
		return redis.error_reply('STEADYARG too few arguments')
	end
	if not call then bind() end
	local worked, reply = pcall(chosen[2], keys_of_call, arguments)
	if worked then return reply end
	-- Ours, or that of a command of Redis, which 7 gives as a table and 6.2 as a text with its
	-- place in front, as "@user_script: 8: -OOM command not allowed".
	local text = type(reply) == 'table' and reply.err or tostring(reply)
	text = string.gsub(text, '^@user_script: %d+: %-?', '')
	if not match(text, '^%u[%u%d]+ ') then text = 'STEADYERR ' .. text end
	return redis.error_reply(text)
end

local function offer(chosen)
	redis.register_function({
		function_name = 'steadycache_2_' .. chosen[1],
		callback = function(keys_of_call, arguments)
			return run(chosen, keys_of_call, arguments)
		end,
		flags = {chosen[4]},
	})
end

if redis.register_function then
	for i = 1, #calls do offer(calls[i]) end
else
	local word = table.remove(ARGV, 1)

	for i = 1, #calls do
		if calls[i][1] == word then
			-- A script has no flags, but goes on where memory is full if it has begun to
			-- write: this changes nothing, as no key expires.
			if calls[i][4] == 'allow-oom' then redis.pcall('PERSIST', KEYS[1]) end
			return run(calls[i], KEYS, ARGV)
		end
	end
	return redis.error_reply('STEADYARG call')
end
