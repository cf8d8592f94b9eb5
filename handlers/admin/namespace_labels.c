#include "handlers/admin/namespace_labels.h"

#include <string.h>

/* Where the name is, or would have to be inserted. */
static size_t place_of(const struct namespace_labels *labels, const char *name)
{
	size_t low = 0;
	size_t high = labels->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(labels->names[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool give(struct namespace_labels *labels, const char *name)
{
	size_t place = place_of(labels, name);

	if (place < labels->count && strcmp(labels->names[place], name) == 0)
		return true;
	if (labels->count == NAMESPACE_LABELS_MAX || strcmp(name, NAMESPACE_LABEL_OTHERS) == 0)
		return false;
	memmove(labels->names[place + 1], labels->names[place],
		(labels->count - place) * sizeof(labels->names[0]));
	memcpy(labels->names[place], name, strlen(name) + 1);
	labels->count++;
	return true;
}

void namespace_labels_give(struct namespace_labels *labels, const struct namespace_stats *stats,
			   size_t count, bool *ret_shown)
{
	(void)pthread_mutex_lock(&labels->lock);
	for (size_t i = 0; i < count; i++)
		ret_shown[i] = give(labels, stats[i].name);
	(void)pthread_mutex_unlock(&labels->lock);
}
