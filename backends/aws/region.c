#include "backends/aws/region.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

#include "backends/aws/profile.h"

/* Headers and names of hosts are made of it. */
static bool copy(struct slice value, char *ret, size_t size)
{
	if (value.len == 0 || value.len >= size)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (!isalnum((unsigned char)value.data[i]) && value.data[i] != '-')
			return false;
	memcpy(ret, value.data, value.len);
	ret[value.len] = '\0';
	return true;
}

bool aws_region(char *ret, size_t size)
{
	static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
	char path[PATH_MAX];
	struct slice value;
	size_t len;

	*ret = '\0';
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *set = getenv(names[i]);
		if (set && *set)
			return copy(slice_of(set), ret, size);
	}
	if (!aws_profile_path(AWS_FILE_CONFIG, path, sizeof path))
		return false;
	char *text = aws_profile_load(path, &len);
	if (!text)
		return false;
	bool is_there = aws_profile_find((struct slice){text, len}, AWS_FILE_CONFIG,
					 aws_profile_name(), "region", &value) &&
			copy(value, ret, size);
	free(text);
	return is_there;
}
