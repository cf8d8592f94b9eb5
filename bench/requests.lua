-- The requests of one scenario, built before the run, so that wrk is not the limit.
--
-- wrk ... -s requests.lua URL -- KIND KEYS VALUE_BYTES DISTRIBUTION THREADS READY_FILE
--   KIND          a name of `kinds` below
--   KEYS          number of different keys
--   VALUE_BYTES   length of a written value
--   DISTRIBUTION  random | zipf (exponent 0.99): how reads choose among the keys
--   THREADS       the value of -t
--   READY_FILE    a file that does not exist; it is created when the last thread is ready
--
-- Written values change from one request to the next: otherwise a store might notice that it already has a
-- value, and that would be measured. So writes are built in two variants and sent in turns: all keys in
-- random order, then all of them with the other value.
--
-- wrk starts each thread once its init() is done, and starts its clock after the last one's: what a thread
-- sends while another one still builds its requests would be counted, but not its time (twice the true rate,
-- in short runs of many requests). So threads that are ready early wait for READY_FILE.

local ffi = require("ffi")

ffi.cdef("int usleep(unsigned microseconds);")

local VARIANTS = 2
local BATCH = 50
local BATCHES = 500              -- different ones
local DELETE_BEHIND = 3000       -- a DELETE follows its PUT after this many PUTs: the PUT must have arrived
local DRAWS = 262144             -- of the Zipf distribution, more than a run's keys that matter
local ZIPF_EXPONENT = 0.99

local next_thread = 0
local take -- the next request

function setup(thread)
	thread:set("thread_number", next_thread)
	next_thread = next_thread + 1
end

-- ---- Requests ----

local function value(bytes, variant)
	local start = string.format("%d-%d-", thread_number, variant)

	return start .. string.rep(string.char(97 + variant), bytes - #start)
end

local function key_path(key)
	return "/cache/bench/key-" .. key
end

local function api(path, members)
	return wrk.format("POST", path, nil, "{" .. members .. "}")
end

local function random_keys(keys)
	local chosen, seen = {}, {}

	while #chosen < math.min(BATCH, keys) do
		local key = math.random(0, keys - 1)

		if not seen[key] then
			seen[key] = true
			chosen[#chosen + 1] = key
		end
	end
	return chosen
end

local function batch_get(path, name, keys)
	local parts = {}

	for i, key in ipairs(random_keys(keys)) do
		parts[i] = string.format('"key-%d"', key)
	end
	return api(path, name .. '"keys":[' .. table.concat(parts, ",") .. "]")
end

-- A batch has the same keys in all of its variants.
local function batch_set(path, name, keys, bytes, number, variant)
	local parts = {}

	math.randomseed(number * 1000 + thread_number)
	for i, key in ipairs(random_keys(keys)) do
		parts[i] = string.format('{"key":"key-%d","value":"%s"}', key, value(bytes, variant))
	end
	return api(path, name .. '"items":[' .. table.concat(parts, ",") .. "]")
end

-- ---- The order in which they are sent ----

local function shuffled(count)
	local order = {}

	for i = 1, count do
		local j = math.random(i)

		order[i] = order[j]
		order[j] = i
	end
	return order
end

-- Numbers 1 ... count, the first of which is drawn most often; which keys they stand for is shuffled.
local function zipf_draws(count)
	local sums, total, draws, places = {}, 0, {}, nil

	for rank = 1, count do
		total = total + rank ^ -ZIPF_EXPONENT
		sums[rank] = total
	end
	-- The same in each thread, so that they have the same favourites.
	math.randomseed(7)
	places = shuffled(count)
	math.randomseed(thread_number + 1)
	for i = 1, DRAWS do
		local wanted, low, high = math.random() * total, 1, count

		while low < high do
			local middle = math.floor((low + high) / 2)

			if sums[middle] < wanted then
				low = middle + 1
			else
				high = middle
			end
		end
		draws[i] = places[low]
	end
	return draws
end

-- Reads: any request at any time.
local function at_random(requests, distribution)
	if distribution == "zipf" then
		local draws, at = zipf_draws(#requests), 0

		return function()
			at = at % DRAWS + 1
			return requests[draws[at]]
		end
	end
	return function()
		return requests[math.random(#requests)]
	end
end

-- Writes: all of them, then all again with the other values.
local function in_turns(requests_of)
	local count = #requests_of[1]
	local order, at, variant = shuffled(count), 0, 1

	return function()
		at = at + 1
		if at > count then
			at, variant = 1, variant % VARIANTS + 1
		end
		return requests_of[variant][order[at]]
	end
end

-- ---- The kinds ----

local function build(count, make)
	local requests = {}

	for i = 1, count do
		requests[i] = make(i - 1)
	end
	return requests
end

-- One request for each key.
local function reads(make)
	return function(keys, bytes, distribution)
		return at_random(build(keys, make), distribution)
	end
end

-- make(key, bytes, variant)
local function writes(make)
	return function(keys, bytes)
		local variants = {}

		for variant = 1, VARIANTS do
			variants[variant] = build(keys, function(key) return make(key, bytes, variant) end)
		end
		return in_turns(variants)
	end
end

local function put(key, bytes, variant)
	return wrk.format("PUT", key_path(key), nil, value(bytes, variant))
end

local get = reads(function(key) return wrk.format("GET", key_path(key)) end)

local function mix(keys, bytes, distribution)
	local read, write, count = get(keys, bytes, distribution), writes(put)(keys, bytes), 0

	return function()
		count = count + 1
		return count % 10 == 0 and write() or read()
	end
end

-- PUT and DELETE in turn, of keys that only this thread uses, so that each DELETE finds an entry.
local function delete(keys, bytes)
	local puts, deletes, at = {}, {}, 0
	local count = math.max(keys, 2 * DELETE_BEHIND)

	for i = 1, count do
		local path = string.format("/cache/bench/passing-%d-%d", thread_number, i)

		puts[i] = wrk.format("PUT", path, nil, value(bytes, i % VARIANTS))
		deletes[i] = wrk.format("DELETE", path)
	end
	return function()
		at = at + 1
		local number = math.floor(at / 2)
		if at % 2 == 1 or number <= DELETE_BEHIND then
			return puts[number % count + 1]
		end
		return deletes[(number - DELETE_BEHIND) % count + 1]
	end
end

local function batches_of_keys(path, name)
	return function(keys)
		return at_random(build(BATCHES, function() return batch_get(path, name, keys) end))
	end
end

local function batches_of_items(path, name)
	return function(keys, bytes)
		local variants = {}

		for variant = 1, VARIANTS do
			variants[variant] = build(BATCHES, function(number)
				return batch_set(path, name, keys, bytes, number, variant)
			end)
		end
		return in_turns(variants)
	end
end

local API_NAME = '"cache_name":"bench",'

local kinds = {
	get = get,
	miss = reads(function(key) return wrk.format("GET", "/cache/bench/missing-" .. key) end),
	put = writes(put),
	mix = mix,
	delete = delete,
	api_get = reads(function(key)
		return api("/api/get", string.format('%s"key":"key-%d"', API_NAME, key))
	end),
	api_set = writes(function(key, bytes, variant)
		return api("/api/set", string.format('%s"key":"key-%d","value":"%s","size":%d', API_NAME, key,
			value(bytes, variant), bytes))
	end),
	api_batch_get = batches_of_keys("/api/batch/get", API_NAME),
	batch_get = batches_of_keys("/batch/bench/get", ""),
	api_batch_set = batches_of_items("/api/batch/set", API_NAME),
	batch_set = batches_of_items("/batch/bench/set", ""),
	-- The same for Redis through webdis.
	webdis_get = reads(function(key) return wrk.format("GET", "/GET/key-" .. key .. ".txt") end),
	webdis_miss = reads(function(key) return wrk.format("GET", "/GET/missing-" .. key .. ".txt") end),
	webdis_put = writes(function(key, bytes, variant)
		return wrk.format("PUT", "/SET/key-" .. key, nil, value(bytes, variant))
	end),
}

-- `next_request`, once READY_FILE exists.
local function when_ready(file, next_request)
	return function()
		local found = io.open(file)

		while not found do
			ffi.C.usleep(200)
			found = io.open(file)
		end
		found:close()
		take = next_request
		return next_request()
	end
end

function init(args)
	local make = kinds[args[1]] or error("unknown kind " .. args[1])
	local threads, file = tonumber(args[5]), args[6]

	math.randomseed(thread_number + 1)
	local next_request = make(tonumber(args[2]), tonumber(args[3]), args[4])
	take = next_request
	if thread_number == threads - 1 then
		assert(io.open(file, "w")):close()
	elseif thread_number > 0 then
		take = when_ready(file, next_request)
	else
		-- wrk looks at the first request before there are any threads.
		take = function()
			take = when_ready(file, next_request)
			return next_request()
		end
	end
end

function request()
	return take()
end

function done(summary, latency)
	io.write(string.format(
		'{"requests":%d,"duration_us":%d,"non_2xx":%d,"socket_errors":%d,' ..
		'"p50_us":%d,"p99_us":%d,"p999_us":%d}\n',
		summary.requests, summary.duration, summary.errors.status,
		summary.errors.connect + summary.errors.read + summary.errors.write +
		summary.errors.timeout,
		latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
