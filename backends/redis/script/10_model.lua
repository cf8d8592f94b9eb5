#!lua name=steadycache_2
--[[ Policy of steadycache beside the data: one source, a function library where the server has
FUNCTION (Redis 7, Valkey), else a script for EVALSHA (Redis 6.2). backends/redis/script/*.lua,
joined in the order of their names, is steadycache.lua; for EVALSHA its first line is left out.

DATA. A namespace has one partition, or, in a Cluster, a fixed number. Each lives in twelve keys
with one hash tag, <prefix>:{<namespace>:<partition>}:<letter>. Nothing else is touched: so a clear
is one UNLINK, in O(1). In a Cluster every call is given all of them, in this order: then one that
moves a slot refuses a call up front (TRYAGAIN, ASK) where it would see half a partition. Elsewhere
the first is enough, from which the script tells the others; that saves a tenth of a set.

  1 m  string  settings, accounts, counters, order clock (save() below)
  2 v  hash    key -> value as a hit reads it, with one plain HGET (HMGET of many keys); offsets:
               0 i64 modified, 8 i64 expires (0 never), 16 i64 size, 24 etag[16], 40 u8 flags,
               41 u8 length of the value's head (its content type and headers), 42 that head,
               then the bytes. If it is longer than 255, or the value is compressed (flag 16):
               41 0, 42 u16 length of the head, 44 the head; the flags have 32 then, and 4, which
               an older front takes for a reference that it does not know; 64 if it is one
  3 h  hash    key -> head, for the script, for `exists` (HMGET) and in listings; 58 bytes:
               0 u32 frequency, 4 u56 last access, 11 u56 stamp (creation), all big-endian, then
               18 i64 expires, 26 i64 used bytes, 34 i64 size, 42 etag[16]
  4 n  zset    byte order: all scores 0, member = key
  5 f  zset    order of frecency, always kept: scores 0, member = the first 18 bytes of the head,
               key. Its last member tells the highest frequency
  6 g  zset    classes of frequency: member = frequency (decimal), score = the millisecond from
               which on its first entry scores less than theta (30_room.lua), or an earlier one
  7 x  zset    entries that expire: score = expires, member = key
  8 l  zset    only under lru, and with an idle time: member = u56 last access, u56 stamp, key
  9 i  zset    only under fifo: member = u56 stamp, key
 10 w  hash    leases: key -> i64 until, token
 11 t  zset    leases: score = until, member = key
 12 j  zset    while theta is tuned: g for the next theta

Numbers are little-endian where not said otherwise, times microseconds of the engine's clock. The
names of namespaces are in one more key, <prefix>:namespaces, a zset of scores 0.

CALLS. FCALL steadycache_2_<call> 1 <key m> <arguments>, or EVALSHA <sha> 1 <key m> <call>
<arguments>. `now` is the first argument: 0 = by the engine's clock, as it is to be outside of
tests. The first element of a reply is a code, the second the time by which it was decided. Codes:
0 OK, 1 ABSENT (no such namespace), 2 REFUSED (by the condition), 3 TOO_LARGE, 4 TOO_MANY (items for
the capacity; namespaces), 5 FULL (and nothing may be evicted), 6 MORE, 7 HELD, 8 FRESH, 9 LOST,
10 CREATED.

  set       now defaults create notify condition etags  {key text ttl history}...
            -> code now pending default_ttl created stored   created: a character 0 or 1 for each item;
            stored 0: the capacity is 0. OK ends the leases on the keys, too
            text: as it is to stand in v. Its times are taken if `modified` is within 100 ms of
            `now`, else it is `now`; `expires` is put right if it does not follow from that.
            ttl seconds, 0 never, -1 the default.
            history: empty, or "frequency created last_access expires", 0 as in cache_history,
            expires -1 = by ttl. condition, of one item: empty, absent, present, match, none_match;
            etags: 16 bytes each. create 1: the caller has called `name` (else code ABSENT)
            MORE: what may be evicted in one call was not enough; nothing is stored: call again
  set_each  now defaults create notify  {key text ttl history}...
            -> code now pending default_ttl outcomes stored   sets that have nothing to do with
            each other, as if one came after the other; outcomes: a character for each, 0 or 1 as
            in `created`, L TOO_LARGE, F FULL, M MORE
  use       now hits misses stale_hits numbers key...         -> code now
            numbers: u32 count, u32 age for each key; age: microseconds since the last of the
            uses. In the order of the last accesses, each key once, some 64 a call
  delete    now notify condition etags key...  -> code now statuses   0 done, 1 not found, 2 refused
  expire    now defaults notify condition etags  {key ttl}...
            -> code now statuses   as delete; key v has its values with the time at which they
            expire, so this copies them within Redis
  clear     now notify                         -> code now removed
  drop      now notify                         -> OK | ABSENT, and now: as clear, and the state goes
            too, and (not in a Cluster) the name
  clear_prefix  now notify prefix after        -> code now more after removed   again with it while more
  list      now prefix has_after after limit max_key_bytes
            -> code now more after {key head}...  last access and stamp as times of the wall clock;
            up to 499; more 1: a live entry follows, or the call has looked at 500 entries:
            again with `after` while more = 1 and the page is not full
  stats     now defaults                       -> code now, a number for each of STATS below,
            max_frequency, pending; counters count since `created`, for all servers together
  configure now defaults create mask max_size capacity ttl policy stale idle compression put_status
            -> code now pending                mask as enum namespace_settings_mask
  work      now defaults                       -> code now more next stale idle
            one bounded step of what waits: leases that lapsed, expiry, eviction to the low water,
            a new order. next: when there is something to sweep next, 0: nothing is known.
            stale, idle: the settings by which a front reads
  lease_take    now key token ttl_us      -> OK until | HELD until | FRESH: there is an entry
                with an empty token it takes nothing: OK 0: it is free
  lease_end     now key token notify word -> OK | LOST;   waiters hear the word if OK
  name      (1 key: the names) name max        -> OK: was there | CREATED | TOO_MANY

`defaults`: "max_size capacity ttl policy", the settings in force for what nobody configured;
policies 0 frecency, 1 lru, 2 fifo, 3 none. `pending` 1: steps of `work` are needed until it says
more = 0. A call with wrong arguments is an error (STEADYARG) before it has written anything. The
keys below the prefix are the script's alone: if somebody else puts another type there, a call may
end half-way (WRONGTYPE). Leases tell the time after the code, as all do; `name` tells only a code.

NOTIFY. empty: nobody hears; p<id>: PUBLISH, s<id>: SPUBLISH, to the channel that is named as key
1, of: a letter (W written, D deleted, C cleared, P cleared by prefix, L lease ended), u8 length of
the id, the id (whose news it is), then strings with a u32 length each: keys; the prefix; key and
word. A caller who may not publish (ACL) tells nobody; the call has done its work. Evictions and
expiries are not told: a copy of what they remove is as right as it was. (Letter H is a front that
tries whether it may publish.)

READERS. A front reads v, and judges itself whether what it finds has expired, by the engine's
clock: each reply has that, so the front knows how far its own is off, to half a round trip. By so
much an entry may be seen too long or too short. To tell a stale entry from one that is over, the
front needs `stale`, which `stats` and `work` tell. With an idle time it reads h, too, and what it
has not told yet of the uses of a key counts. It counts
hits and misses, and tells them by `use` within a second, before its own stats, set and configure
at the latest. A value that was overwritten, deleted or cleared is in no reply to a read that was
sent after the acknowledgement.

BOUNDS. A call removes STEP_MAX entries at most, beyond one for each item of a set, and stops after
STEP_US where the engine tells the time within a script (it stands still there from 7.2 on). Only
batches and lists are as long as their callers make them. What waits meanwhile:
- A set stores nothing before there is room: the limits hold at any moment, except that those made
  smaller hold from the end of `pending` on. An eviction by bytes goes down to 80 % with `work`;
  till then used bytes are between the two, and every victim is the first in the order of its
  moment. (A set that fits within one call evicts all of it itself, as the other backends do.)
- What has expired is no live entry to anybody; until it is swept it counts in the accounts. It goes
  before anything that lives. So does what nobody has used for the idle time.
- A new policy is told by `stats` at once; the former is in force until the new order is built. (In
  the place of none: frecency.)
- A clear by prefix has removed the keys up to `after`, in byte order; what is set behind it
  meanwhile goes too, what is set before it stays.

- Theta is tuned (30_room.lua) in steps of some hundred classes. Till then nothing is evicted under
  frecency: sets that need room hear MORE.

MEASURED with tests/redis/measure.py, which docs/redis.md tells more of.

LIMITS OF A CLUSTER. The script knows one partition: its caller shares limits out, and asks all
partitions for statistics. The order is exact within a partition.

TRIED with Redis 7.0.15, both ways. Not yet with 6.2 or Valkey.

VERSIONS. Two versions of the server may run beside each other if the number in steadycache_2 is
another one; what they share is the data, of which VERSION stands in key m. A library of one number
never changes. steadycache_1 knows no idle time, compression and put_status, but leaves them as they
are: they stand above the 5 bits of `mask` that it knows (split_mask). It neither sweeps what is
idle, nor keeps the order for that: whichever steadycache_2 comes next builds it again.

MEMORY. With maxmemory the policy must not be one of allkeys-* (it would remove whole partitions;
volatile-* finds nothing to remove, as no key expires). A set that would go beyond is refused (OOM)
before it has begun; the others go on. An entry takes some 500 bytes beside its value and four times
its key; one with a time to live, and one under lru or fifo, 120 and the key once more.

LARGE VALUES. Redis copies a value three times on its way through the script: microseconds a
kilobyte; twice more if its times are not taken. ]]

-- Of the libraries, which are not there yet while this is loaded: bind() fetches them.
local call, try, pack, unpack_struct, floor, min, max, huge, sub, byte, match, concat, char, sort
local format

local M, V, H, N, F, G, X, L, I, W, T, J = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
local OK, ABSENT, REFUSED, TOO_LARGE, TOO_MANY, FULL, MORE = 0, 1, 2, 3, 4, 5, 6
local HELD, FRESH, LOST, CREATED = 7, 8, 9, 10
local FRECENCY, LRU, FIFO, NONE = 0, 1, 2, 3

local VERSION = 1
local OVERHEAD = 128
local MAX_FREQUENCY = 4294967295
local MAX_NUMBER = 9007199254740991
local US = 1000000
local STEP_MAX = 128     -- entries that one call evicts, sweeps or clears by prefix at most
local STEP_MIN = 32      -- as many it always may; what is beyond ends
local STEP_US = 2000     -- after that time, where the engine's clock goes on
local GROUP = 64         -- entries whose changes are written together
local CLASSES_MIN = 32   -- of frecency, that are looked at to find a victim
local CLASSES_MAX = 128
local CHUNK = 16         -- victims of a class that are looked up at once

local FORMAT -- of key m: 32 doubles
-- What `stats` tells, behind code and time.
local STATS = {'max_size', 'capacity', 'ttl', 'policy', 'stale', 'mask', 'count', 'size', 'used',
	'frequency_sum', 'hits', 'misses', 'stale_hits', 'sets', 'deletes', 'evictions',
	'expirations', 'created', 'idle', 'compression', 'put_status'}

local keys   -- of the call
local is_alone -- the call was given one key: all others are on this server
local state  -- of the partition; cursor: of the order that is built
local now    -- wall clock
local order  -- reading of the order clock
local is_clean = false -- the lists of what is to be written are empty (20_entries.lua)

local function bind()
	call, try, pack, unpack_struct = redis.call, redis.pcall, struct.pack, struct.unpack
	floor, min, max, huge = math.floor, math.min, math.max, math.huge
	sub, byte, match, char = string.sub, string.byte, string.match, string.char
	concat, sort, format = table.concat, table.sort, string.format
	FORMAT = '<' .. string.rep('d', 32)
end

-- ---- Arguments and state ----

local function fail(text)
	error('STEADYARG ' .. text, 0)
end

local function number(text, low, high, what)
	local value = tonumber(text)

	if not value or value < low or value > high or value ~= floor(value) then fail(what) end
	return value
end

local KEPT_MAX = 64
local letters = {'m', 'v', 'h', 'n', 'f', 'g', 'x', 'l', 'i', 'w', 't', 'j'}
local keys_of, keys_of_count = {}, 0 -- by key m

local function all_keys(first)
	local base = sub(first, 1, -2)
	local all = {}

	if sub(first, -2) ~= ':m' then fail('keys') end
	for i = 1, J do all[i] = base .. letters[i] end
	if keys_of_count >= KEPT_MAX then keys_of, keys_of_count = {}, 0 end
	keys_of_count = keys_of_count + 1
	keys_of[first] = all
	return all
end

local function begin_clock(of_call, now_text)
	keys = of_call
	is_alone = #keys == 1
	if is_alone then
		keys = keys_of[keys[1]] or all_keys(keys[1])
	elseif #keys ~= J then
		fail('keys')
	end
	now = number(now_text, 0, MAX_NUMBER, 'now')
	if now == 0 then
		local time = call('TIME')

		now = time[1] * US + time[2]
	end
end

-- States as calls have left them, by key m: as long as the key has the same text, nobody else has
-- changed anything of the partition, and what is known of it need not be read again. (Every change
-- of a partition changes a counter in m.)
local kept, kept_count = {}, 0

local function keep(s)
	if not kept[keys[M]] then
		if kept_count >= KEPT_MAX then kept, kept_count = {}, 0 end
		kept_count = kept_count + 1
	end
	kept[keys[M]] = s
end

-- `mask` as it is kept: 8 bits that say what was configured, 2 for the compression, 10 for the
-- status of a PUT, 32 for the idle time.
local function split_mask(s)
	local whole = s.mask

	s.mask = whole % 256
	s.compression = floor(whole % 1024 / 256)
	s.put_status = floor(whole % 1048576 / 1024)
	s.idle = floor(whole / 1048576)
end

local function joined_mask(s)
	return s.mask + s.compression * 256 + s.put_status * 1024 + s.idle * 1048576
end

-- Reads the state; false if there is none.
local function begin(of_call, now_text)
	begin_clock(of_call, now_text)
	state = nil
	local text = call('GET', keys[M])
	if not text then return false end
	local s = kept[keys[M]]
	if s and s.text == text then
		state = s
		s.text = nil -- until it is saved: a call may fail, or change what it does not save
		return true
	end
	if #text < 256 then fail('damaged state') end
	local rest
	s = {classes = {}}
	s.version, s.max_size, s.capacity, s.ttl, s.policy, s.stale, s.mask, s.count, s.size,
	s.used, s.frequency_sum, s.hits, s.misses, s.stale_hits, s.sets, s.deletes, s.evictions,
	s.expirations, s.ahead, s.since, s.latest, s.last_stamp, s.over, s.in_force, s.has_lru,
	s.has_fifo, s.building, s.theta, s.width, s.created, s.next_theta, s.tuned_to, rest =
		unpack_struct(FORMAT, text)
	if s.version ~= VERSION then fail('version') end
	split_mask(s)
	s.cursor = sub(text, rest)
	state = s
	return true
end

-- The key of all names, and the name, of a partition that is alone.
local function name_of()
	local prefix, ns = match(keys[M], '^(.*):{([^:{}]*):[%d.]+}:m$')

	if not prefix then fail('keys') end
	return prefix .. ':namespaces', ns
end

-- Whoever creates it has seen to the name, but it may have been dropped since.
local function create()
	if is_alone then
		local names, ns = name_of()

		call('ZADD', names, '0', ns)
	end
	state = {
		max_size = 0, capacity = 0, ttl = 0, policy = 0, stale = 0, mask = 0, count = 0,
		size = 0, used = 0, frequency_sum = 0, hits = 0, misses = 0, stale_hits = 0,
		sets = 0, deletes = 0, evictions = 0, expirations = 0, ahead = 0, since = 0,
		latest = 0, last_stamp = 0, over = 0, in_force = 0, has_lru = 0, has_fifo = 0,
		building = 0, version = VERSION, created = now, theta = 1, width = CLASSES_MIN,
		next_theta = 0, tuned_to = 0, idle = 0, compression = 0, put_status = 0, cursor = '',
		classes = {}}
end

local function save()
	local s = state
	local text = pack(FORMAT,
		s.version, s.max_size, s.capacity, s.ttl, s.policy, s.stale, joined_mask(s),
		s.count, s.size, s.used, s.frequency_sum, s.hits, s.misses, s.stale_hits, s.sets,
		s.deletes, s.evictions, s.expirations, s.ahead, s.since, s.latest, s.last_stamp,
		s.over, s.in_force, s.has_lru, s.has_fifo, s.building, s.theta, s.width,
		s.created, s.next_theta, s.tuned_to)

	if s.cursor ~= '' then text = text .. s.cursor end
	call('SET', keys[M], text)
	s.text = text
	keep(s)
	is_clean = true
end

local defaults_text, defaults -- the ones that were read last

local function read_defaults(text)
	if text == defaults_text then return defaults end
	local a, b, c, d = match(text, '^(%d+) (%-?%d+) (%d+) ([0-3])$')
	if not a then fail('defaults') end
	local read = {max_size = number(a, 0, MAX_NUMBER, 'max_size'),
		capacity = number(b, -1, MAX_NUMBER, 'capacity'),
		ttl = number(c, 0, MAX_NUMBER / US, 'ttl'), policy = tonumber(d)}
	defaults_text, defaults = text, read
	return read
end

local function strings(list)
	local told = {}

	for i = 1, #list do told[i] = pack('<I4', #list[i]) .. list[i] end
	return concat(told)
end

local function check_notify(notify)
	if notify ~= '' and not match(notify, '^[ps]') or #notify > 256 then fail('notify') end
end

local function publish(notify, letter, list)
	if notify == '' then return end
	local id = sub(notify, 2)
	try(sub(notify, 1, 1) == 's' and 'SPUBLISH' or 'PUBLISH', keys[M],
		letter .. pack('B', #id) .. id .. strings(list))
end

-- ---- The clock of the order (as base/order_clock.c) ----

local GRAIN_US = 1000
local SET_BACK_US = 100000

local function read_order_clock()
	local latest = state.latest

	order = now + state.ahead
	if state.ahead > 0 and now >= latest + GRAIN_US then
		state.ahead = 0
		order = now
	end
	if order < latest then
		if latest - order <= SET_BACK_US then
			order = latest
		else
			order = latest + GRAIN_US
			state.ahead = order - now
			state.since = order
		end
	end
	state.latest = order
end

local function order_of_past(time)
	if time >= now then return order end
	if state.ahead > 0 and time + state.ahead >= state.since then return time + state.ahead end
	return time
end

local function order_to_wall(reading)
	if state.ahead > 0 and reading >= state.since then reading = reading - state.ahead end
	return min(reading, now)
end

-- ---- Bounds of a call ----

local steps, steps_max, steps_until

-- `more`: what the call is to do beyond STEP_MAX.
local function begin_steps(more)
	steps = 0
	steps_max = STEP_MAX + (more or 0)
	steps_until = nil
end

local function time_us()
	local time = call('TIME')

	return time[1] * US + time[2]
end

-- Counts one step; whether it was the last.
local function step_is_over()
	steps = steps + 1
	if steps >= steps_max then return true end
	if steps % 16 ~= 0 then return false end
	local time = time_us()
	steps_until = steps_until or time + STEP_US
	return steps >= steps_max - STEP_MAX + STEP_MIN and time >= steps_until
end
