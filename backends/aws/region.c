#include "backends/aws/region.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/aws/profile.h"

static bool copy(struct slice value, char *ret, size_t size)
{
	return value.len > 0 && value.len < size &&
	       snprintf(ret, size, "%.*s", (int)value.len, value.data) > 0;
}

bool aws_region(char *ret, size_t size)
{
	char path[PATH_MAX];
	struct slice value;
	size_t len;

	*ret = '\0';
	if (copy(slice_of(getenv("AWS_REGION")), ret, size) ||
	    copy(slice_of(getenv("AWS_DEFAULT_REGION")), ret, size))
		return true;
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
