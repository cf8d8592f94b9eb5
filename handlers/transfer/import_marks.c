#include "handlers/transfer/import_marks.h"

#include <string.h>

#define MARKS_MAX ((size_t)1 << 20)

static size_t count_of(const struct buffer *marks)
{
	return marks->len / sizeof(uint64_t);
}

static uint64_t mark_at(const struct buffer *marks, size_t index)
{
	uint64_t mark;

	memcpy(&mark, marks->data + index * sizeof(mark), sizeof(mark));
	return mark;
}

void import_marks_note(struct buffer *marks, uint64_t came)
{
	size_t count = count_of(marks);

	if (count < MARKS_MAX && (count == 0 || mark_at(marks, count - 1) != came))
		buffer_append(marks,
			      (struct slice){.data = (const char *)&came, .len = sizeof(came)});
}

bool import_marks_fit(const struct buffer *marks, uint64_t came, uint64_t entries)
{
	size_t from = 0, to = count_of(marks);

	if (entries >= came)
		return entries == came;
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (mark_at(marks, middle) < came - entries)
			from = middle + 1;
		else
			to = middle;
	}
	return from < count_of(marks) && mark_at(marks, from) == came - entries;
}
