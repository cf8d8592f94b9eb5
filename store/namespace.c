#include "store/namespace.h"

static const char *const policy_names[] = {
	[EVICT_FRECENCY] = "frecency",
	[EVICT_LRU] = "lru",
	[EVICT_FIFO] = "fifo",
	[EVICT_NONE] = "none",
};

const char *eviction_policy_name(enum eviction_policy policy)
{
	return policy_names[policy];
}

bool eviction_policy_parse(struct slice name, enum eviction_policy *ret)
{
	for (unsigned i = 0; i < sizeof(policy_names) / sizeof(policy_names[0]); i++) {
		if (slice_equal(name, slice_of(policy_names[i]))) {
			*ret = (enum eviction_policy)i;
			return true;
		}
	}
	return false;
}

static const char *const compression_names[] = {
	[COMPRESSION_NONE] = "none",
	[COMPRESSION_ZSTD] = "zstd",
};

const char *compression_name(enum compression compression)
{
	return compression_names[compression];
}

bool compression_parse(struct slice name, enum compression *ret)
{
	for (unsigned i = 0; i < sizeof(compression_names) / sizeof(compression_names[0]); i++) {
		if (slice_equal(name, slice_of(compression_names[i]))) {
			*ret = (enum compression)i;
			return true;
		}
	}
	return false;
}

bool namespace_name_is_valid(struct slice name)
{
	if (name.len == 0 || name.len > NAMESPACE_MAX_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_';

		if (!word && (i == 0 || (c != '.' && c != '-')))
			return false;
	}
	return true;
}
