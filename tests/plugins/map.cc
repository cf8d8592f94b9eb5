/* A plugin in C++: records in a map of this process. */
#include <cstdio>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <utility>

#include <steadycache/driver.h>

struct driver {
	std::map<std::pair<std::string, std::string>, std::pair<std::string, std::string>> records;
};

namespace
{

std::string text_of(struct slice bytes)
{
	return bytes.len > 0 ? std::string(bytes.data, bytes.len) : std::string();
}

std::pair<std::string, std::string> name_of(struct slice ns, struct slice key)
{
	return {text_of(ns), text_of(key)};
}

enum driver_status map_open(const struct driver_config *, struct driver **ret, char *, size_t)
{
	*ret = new (std::nothrow) driver;
	return *ret ? DRIVER_OK : DRIVER_NO_MEMORY;
}

enum driver_status map_load(struct driver *, driver_visit *, void *)
{
	return DRIVER_OK;
}

enum driver_status map_get(struct driver *driver, struct slice ns, struct slice key, char *room,
			   uint64_t len)
try {
	auto found = driver->records.find(name_of(ns, key));

	if (found == driver->records.end())
		return DRIVER_NOT_FOUND;
	if (found->second.second.size() != len)
		return DRIVER_CORRUPT;
	if (len > 0)
		std::memcpy(room, found->second.second.data(), len);
	return DRIVER_OK;
} catch (const std::bad_alloc &) {
	return DRIVER_NO_MEMORY;
}

enum driver_status map_apply(struct driver *driver, const struct driver_change *changes,
			     size_t count)
try {
	auto records = driver->records; /* all or none */

	for (size_t i = 0; i < count; i++) {
		auto name = name_of(changes[i].ns, changes[i].key);

		if (changes[i].kind == DRIVER_PUT)
			records[name] = {text_of(changes[i].head), text_of(changes[i].body)};
		else if (changes[i].kind == DRIVER_REMOVE)
			records.erase(name);
	}
	driver->records.swap(records);
	return DRIVER_OK;
} catch (const std::bad_alloc &) {
	return DRIVER_NO_MEMORY;
}

enum driver_status map_check(struct driver *, char *, size_t)
{
	return DRIVER_OK;
}

void map_close(struct driver *driver)
{
	delete driver;
}

const struct driver_ops ops = {DRIVER_ABI, 0,         sizeof(struct driver_ops),
			       "map",      map_open,  map_load,
			       map_get,    map_apply, map_check,
			       nullptr,    nullptr,   map_close};

} // namespace

const struct driver_ops *steadycache_driver(unsigned)
{
	return &ops;
}
