-- The requests of one scenario, built before the run: wrk must not be the limit.
--
-- wrk ... -s requests.lua URL -- KIND KEYS VALUE_BYTES
--   KIND         get | miss | put | mix | api_get | api_set
--   KEYS         how many different keys; they are taken at random
--   VALUE_BYTES  length of a written value
--
-- Values of writes change from one request to the next: a store may find out that it was given what
-- it holds already, and that would be measured.

local VARIANTS = 3
local requests = {}
local next_thread = 0

function setup(thread)
	thread:set("thread_number", next_thread)
	next_thread = next_thread + 1
end

local function value(bytes, variant)
	local start = string.format("%d-%d-", thread_number, variant)

	return start .. string.rep(string.char(97 + variant), bytes - #start)
end

local function get(key)
	return wrk.format("GET", "/cache/bench/key-" .. key)
end

local function put(key, bytes, variant)
	return wrk.format("PUT", "/cache/bench/key-" .. key, nil, value(bytes, variant))
end

local function api(call, members)
	return wrk.format("POST", "/api/" .. call, nil, '{"cache_name":"bench",' .. members .. "}")
end

local function build(kind, key, bytes, variant)
	if kind == "get" then
		return get(key)
	elseif kind == "miss" then
		return get("missing-" .. key)
	elseif kind == "put" then
		return put(key, bytes, variant)
	elseif kind == "mix" then
		-- Ten variants: one write in ten requests.
		return variant == 0 and put(key, bytes, key % VARIANTS) or get(key)
	elseif kind == "api_get" then
		return api("get", string.format('"key":"key-%d"', key))
	elseif kind == "api_set" then
		return api("set", string.format('"key":"key-%d","value":"%s","size":%d', key,
			value(bytes, variant), bytes))
	end
	error("unknown kind " .. kind)
end

function init(args)
	local kind, keys, bytes = args[1], tonumber(args[2]), tonumber(args[3])
	local variants = { put = VARIANTS, api_set = VARIANTS, mix = 10 }

	math.randomseed(thread_number + 1)
	for key = 0, keys - 1 do
		for variant = 0, (variants[kind] or 1) - 1 do
			requests[#requests + 1] = build(kind, key, bytes, variant)
		end
	end
end

function request()
	return requests[math.random(#requests)]
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
