#include "server/http/guard_held.h"

#include <stdlib.h>
#include <string.h>

void guard_held_drop(struct guard *guard)
{
	free(guard->held);
	guard->held = NULL;
	guard->held_at = 0;
	guard->held_len = 0;
	guard->held_size = 0;
	guard->head_left = 0;
}

bool guard_held_make_room(struct guard *guard, size_t needed)
{
	if (guard->held_at > 0)
		memmove(guard->held, guard->held + guard->held_at, guard->held_len);
	guard->held_at = 0;
	if (guard->held_len + needed <= guard->held_size)
		return true;
	size_t size = guard->held_size * 2;
	if (size < guard->held_len + needed)
		size = guard->held_len + needed;
	char *grown = realloc(guard->held, size);
	if (!grown)
		return false;
	guard->held = grown;
	guard->held_size = size;
	return true;
}

bool guard_held_add(struct guard *guard, const char *bytes, size_t len)
{
	if (len == 0)
		return true;
	if (!guard_held_make_room(guard, len))
		return false;
	memcpy(guard->held + guard->held_len, bytes, len);
	guard->held_len += len;
	return true;
}

void guard_held_forget(struct guard *guard, size_t len)
{
	guard->held_at += len;
	guard->held_len -= len;
	if (guard->held_len == 0)
		guard_held_drop(guard);
}

size_t guard_held_pass(struct guard *guard, char *room, size_t max)
{
	size_t len = max < guard->held_len ? max : guard->held_len;

	memcpy(room, guard->held + guard->held_at, len);
	guard_held_forget(guard, len);
	return len;
}
